//! What a production refuses: names and keys that were made for development.

use std::path::Path;

use figment::value::{Dict, Value};

/// In every name that is made up for development (RFC 6761: nobody can own such a host).
const DEVELOPMENT_HOST: &str = "dsom.localhost";
/// The file that `dsom keys` puts beside development keys.
const DEVELOPMENT_MARK: &str = "DEVELOPMENT";

/// Whether `DSOM_PRODUCTION` says so, if it says anything; `Err` with its value when that is neither yes nor no.
pub(crate) fn asked() -> Result<Option<bool>, String> {
    match std::env::var("DSOM_PRODUCTION").as_deref() {
        Ok("true") => Ok(Some(true)),
        Ok("false") => Ok(Some(false)),
        Ok("") | Err(std::env::VarError::NotPresent) => Ok(None),
        Ok(other) => Err(other.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// What of a configuration is for development, each with the variable that sets it and what to do.
pub(crate) fn development(service: &str, values: &Dict) -> Vec<String> {
    let strings = values.iter().filter_map(|(name, value)| match value {
        Value::String(_, text) => Some((name, text)),
        _ => None,
    });
    let judged = strings.filter_map(|(name, text)| {
        let variable = variable(service, name);
        if name.ends_with("issuer") && text.starts_with("http://") {
            return Some(format!("{variable} is {text}, which anybody on the way can read and change: give an https address"));
        }
        let beside = |folder: &Path| folder.join(DEVELOPMENT_MARK).exists();
        if text.contains(DEVELOPMENT_HOST) {
            return Some(format!("{variable} is {text}, which is for development: give it a name of your own"));
        }
        Path::new(text).parent().is_some_and(beside).then(|| {
            format!(
                "{variable} is {text}, a development key: make your own with `dsom keys --production --data DIR --origin NAME`"
            )
        })
    });
    judged.collect()
}

/// The environment variable of a field.
pub(crate) fn variable(service: &str, field: &str) -> String {
    format!("DSOM_{}_{}", service.to_uppercase(), field.to_uppercase())
}
