//! Reads a service's configuration: a TOML file, and the environment over it.

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};
use figment::value::Dict;
use serde::de::DeserializeOwned;

use crate::production;

/// The configuration could not be used; says which value and where from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value that must be there is not.
    #[error("{variable} is not set{hint}")]
    Missing {
        /// Which.
        variable: String,
        /// How to get one.
        hint: &'static str,
    },
    /// The file is missing, or a value has a wrong form.
    #[error("the configuration of {service} is not usable")]
    Unusable {
        /// Whose.
        service: &'static str,
        // Boxed: it is large.
        /// Why.
        #[source]
        source: Box<figment::Error>,
    },
    /// `DSOM_PRODUCTION` says neither.
    #[error("DSOM_PRODUCTION is {0:?}, not true or false")]
    Production(String),
    /// This is production, and some values are for development.
    #[error("this is production, and {}", .0.join("; "))]
    Development(Vec<String>),
}

/// Loads the file named by `DSOM_CONFIG`, if any, with `DSOM_<SERVICE>_<FIELD>` over it. `…_STORE` is `store.engine` there, and
/// `…_SCYLLA_<FIELD>` is `store.<field>`.
///
/// # Errors
/// When the file is missing or a value is missing or of a wrong form; with `DSOM_PRODUCTION=true`, or in the world `live`, also
/// when a name or a key is for development, or a CQL server is used without a login.
pub fn load<T: DeserializeOwned>(service: &'static str) -> Result<T, ConfigError> {
    let mut sources = Figment::new();
    if let Some(file) = std::env::var_os("DSOM_CONFIG") {
        sources = sources.merge(Toml::file_exact(file));
    }
    let sources = sources.merge(Env::prefixed(&format!("DSOM_{}_", service.to_uppercase())).map(|name| {
        let name = name.as_str().to_ascii_lowercase();
        match name.strip_prefix("scylla_") {
            Some(field) => format!("store.{field}").into(),
            None if name == "store" => "store.engine".into(),
            None => name.into(),
        }
    }));
    checked(service, sources)
}

/// Takes values out of sources, and refuses what is for development where this is production.
pub(crate) fn checked<T: DeserializeOwned>(service: &'static str, sources: Figment) -> Result<T, ConfigError> {
    let config = sources.extract().map_err(|source| ConfigError::unusable(service, source))?;
    let values: Dict = sources.extract().map_err(|source| ConfigError::unusable(service, source))?;
    let live = values.get("env").and_then(|env| env.as_str()) == Some("live");
    // The market is production unless somebody has said that it is none.
    if !production::asked().map_err(ConfigError::Production)?.unwrap_or(live) {
        return Ok(config);
    }
    let found = production::development(service, &values);
    if !found.is_empty() {
        return Err(ConfigError::Development(found));
    }
    if !values.contains_key("store") {
        return Ok(config);
    }
    // Who keeps data is stricter with its servers there.
    let sources = sources.merge(("store.production", true));
    sources.extract().map_err(|source| ConfigError::unusable(service, source))
}

impl ConfigError {
    pub(crate) fn unusable(service: &'static str, source: figment::Error) -> Self {
        match &source.kind {
            Kind::MissingField(field) => {
                let hint = if field.ends_with("_key") { "; `dsom keys` makes one" } else { "" };
                Self::Missing { variable: production::variable(service, field), hint }
            }
            _ => Self::Unusable { service, source: Box::new(source) },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Keeps {
        store: Store,
    }

    #[derive(Deserialize)]
    struct Store {
        #[serde(default)]
        production: bool,
    }

    #[test]
    fn who_keeps_data_learns_whether_this_is_production() {
        let with = |env: &str| {
            Figment::new().merge(("env", env)).merge(("store.engine", "scylla")).merge(("store.user", "ingest"))
        };
        assert!(checked::<Keeps>("ingest", with("live")).expect("a configuration").store.production);
        assert!(!checked::<Keeps>("ingest", with("sandbox")).expect("a configuration").store.production);
        // Who keeps none may refuse to hear of a store.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct KeepsNone {
            env: String,
        }
        let keeps_none: KeepsNone = checked("ingest", Figment::new().merge(("env", "live"))).expect("a configuration");
        assert_eq!(keeps_none.env, "live");
    }
}
