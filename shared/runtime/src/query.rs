//! The query of a request: what is wrong with it is told with the name of the parameter.

use actix_web::HttpRequest;
use contracts::problems::Code;
use serde::de::DeserializeOwned;

use crate::ApiError;

/// Reads the query of a request.
///
/// # Errors
/// 400 `bad-request`: `limit: invalid digit found in string`.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, ApiError> {
    let pairs = form_urlencoded::parse(request.query_string().as_bytes());
    serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs)).map_err(|error| {
        let named = error.path().iter().next().is_some();
        // A name that is not known, missing, or there twice is in the text itself.
        let detail = if named { error.to_string() } else { error.into_inner().to_string() };
        ApiError::new(Code::BadRequest, detail)
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Which {
        limit: Option<usize>,
        late: Option<bool>,
        #[serde(default)]
        q: String,
    }

    fn read(text: &str) -> Result<Which, String> {
        let request = TestRequest::with_uri(&format!("/?{text}")).to_http_request();
        query(&request).map_err(|error| error.detail)
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        let good = Which { limit: Some(3), late: Some(true), q: "приклад".to_owned() };
        assert_eq!(read("limit=3&late=true&q=%D0%BF%D1%80%D0%B8%D0%BA%D0%BB%D0%B0%D0%B4"), Ok(good));
        assert_eq!(read(""), Ok(Which { limit: None, late: None, q: String::new() }));
        for (text, name) in [("limit=abc", "limit: "), ("q=a&late=yes", "late: "), ("limit=-1", "limit: ")] {
            let told = read(text).unwrap_err();
            assert!(told.starts_with(name), "{told}");
        }
        for (text, name) in [("limt=3", "`limt`"), ("limit=1&limit=2", "`limit`")] {
            let told = read(text).unwrap_err();
            assert!(told.contains(name), "{told}");
        }
    }
}
