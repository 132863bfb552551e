//! A path of a service, built part by part: what a person typed names one thing there, and never leads to another path.

use std::fmt::{self, Display, Write as _};

use contracts::OperatorId;
use uuid::Uuid;

use crate::Failure;

/// A path and its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    path: String,
    query: String,
}

/// A part that was read as what it is: nothing but digits, letters and hyphens.
pub trait Id: Display {}

impl Id for OperatorId {}
impl Id for Uuid {}
impl Id for u32 {}

impl Route {
    /// A path that nobody typed.
    pub fn to(path: &'static str) -> Self {
        Self { path: path.to_owned(), query: String::new() }
    }

    /// An operator.
    pub fn operator(operator: OperatorId) -> Self {
        Self::to("/v1/operators").id(operator)
    }

    /// Further, by what nobody typed.
    pub fn then(mut self, path: &'static str) -> Self {
        self.path.push_str(path);
        self
    }

    /// Further, by an id.
    pub fn id(mut self, id: impl Id) -> Self {
        // Writing to a String cannot fail.
        let _ = write!(self.path, "/{id}");
        self
    }

    /// Further, by a name as it was typed: one part, whatever it holds.
    ///
    /// # Errors
    /// It is nothing, or dots that every client takes out of a path, encoded or not (RFC 3986 section 5.2.4).
    pub fn name(mut self, name: &str) -> Result<Self, Failure> {
        if matches!(name, "" | "." | "..") {
            return Err(Failure::usage(format!("{name:?} names nothing")));
        }
        self.path.push('/');
        encode(name, &mut self.path);
        Ok(self)
    }

    /// With a member of the query.
    pub fn ask(mut self, name: &'static str, value: impl Display) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.push_str(name);
        self.query.push('=');
        encode(&value.to_string(), &mut self.query);
        self
    }

    /// With a member of the query, if there is one.
    pub fn ask_if(self, name: &'static str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.ask(name, value),
            None => self,
        }
    }
}

impl Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.path, self.query)
    }
}

/// Percent-encodes all but what needs it nowhere (RFC 3986 section 2.3).
fn encode(text: &str, into: &mut String) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(char::from(byte)),
            _ => drop(write!(into, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client makes of it.
    fn asked(route: &Route) -> (String, Option<String>) {
        let url = reqwest::Url::parse(&format!("http://a{route}")).expect("a URL");
        (url.path().to_owned(), url.query().map(str::to_owned))
    }

    #[test]
    fn a_name_is_one_part_whatever_it_holds() {
        for (name, part) in [
            ("casino.example", "casino.example"),
            ("../operators", "..%2Foperators"),
            ("x/../../../b?limit=1#c", "x%2F..%2F..%2F..%2Fb%3Flimit%3D1%23c"),
            ("%2e%2e", "%252e%252e"),
            ("a\\..\\b\t", "a%5C..%5Cb%09"),
            ("казино", "%D0%BA%D0%B0%D0%B7%D0%B8%D0%BD%D0%BE"),
        ] {
            let route = Route::to("/v1/sites").name(name).expect("a name");
            assert_eq!(asked(&route), (format!("/v1/sites/{part}"), None), "{name}");
        }
        for nothing in ["", ".", ".."] {
            assert!(Route::to("/v1/sites").name(nothing).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn a_query_holds_what_was_asked_for() {
        let none: Option<u32> = None;
        let route = Route::to("/v1/sites").ask("q", "a&b=c d+").ask_if("after", none).ask_if("limit", Some(5));
        assert_eq!(asked(&route), ("/v1/sites".into(), Some("q=a%26b%3Dc%20d%2B&limit=5".into())));
    }
}
