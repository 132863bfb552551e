//! Reads a service's configuration: a TOML file, and the environment over it.

use figment::Figment;
use figment::providers::{Env, Format, Toml};
use serde::de::DeserializeOwned;

/// The configuration could not be read; says which value and where from.
#[derive(Debug, thiserror::Error)]
#[error("the configuration of {service} is not usable")]
pub struct ConfigError {
    service: &'static str,
    // Boxed: it is large.
    #[source]
    source: Box<figment::Error>,
}

/// Loads the file named by `DSOM_CONFIG`, if any, with `DSOM_<SERVICE>_<FIELD>` over it. `…_STORE` is `store.engine` there, and
/// `…_SCYLLA_<FIELD>` is `store.<field>`.
///
/// # Errors
/// When the file is missing or a value is missing or of a wrong form.
pub fn load<T: DeserializeOwned>(service: &'static str) -> Result<T, ConfigError> {
    let mut sources = Figment::new();
    if let Some(file) = std::env::var_os("DSOM_CONFIG") {
        sources = sources.merge(Toml::file_exact(file));
    }
    sources
        .merge(Env::prefixed(&format!("DSOM_{}_", service.to_uppercase())).map(|name| {
            let name = name.as_str().to_ascii_lowercase();
            match name.strip_prefix("scylla_") {
                Some(field) => format!("store.{field}").into(),
                None if name == "store" => "store.engine".into(),
                None => name.into(),
            }
        }))
        .extract()
        .map_err(|source| ConfigError { service, source: Box::new(source) })
}
