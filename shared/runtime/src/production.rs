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

/// What of a configuration is for development, each with what sets it and what to do.
pub(crate) fn development(service: &str, values: &Dict) -> Vec<String> {
    let judged = texts("", values).into_iter().filter_map(|(path, text)| {
        let place = place(service, &path);
        if path.ends_with("issuer") && text.starts_with("http://") {
            return Some(format!("{place} is {text}, which anybody on the way can read and change: give an https address"));
        }
        let beside = |folder: &Path| folder.join(DEVELOPMENT_MARK).exists();
        if text.contains(DEVELOPMENT_HOST) {
            return Some(format!("{place} is {text}, which is for development: give it a name of your own"));
        }
        Path::new(text).parent().is_some_and(beside).then(|| {
            format!(
                "{place} is {text}, a development key: make your own with `dsom keys --production --data DIR --origin NAME`"
            )
        })
    });
    judged.chain(of_broker(service, values)).chain(of_store(service, values)).collect()
}

/// Whoever reaches a broker that asks nobody writes what they like, before it is sealed.
fn of_broker(service: &str, values: &Dict) -> Vec<String> {
    let given = |field: &str| values.get(field).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let brokers = [("nats_url", "nats_nkey_file"), ("registry_nats_url", "registry_nats_nkey_file")];
    let open = brokers.into_iter().filter(|(url, key)| given(url) && !given(key));
    let said = open.map(|(url, key)| {
        let (url, key) = (place(service, url), place(service, key));
        format!("{key} is not set: the NATS servers of {url} must ask who somebody is; `dsom keys --production` makes the key (docs/OPERATIONS.md, The broker's keys)")
    });
    said.collect()
}

/// Whoever reaches a CQL server without logins writes what they like into the chain.
fn of_store(service: &str, values: &Dict) -> Vec<String> {
    let Some(Value::Dict(_, store)) = values.get("store") else { return Vec::new() };
    if store.get("engine").and_then(Value::as_str) != Some("scylla") {
        return Vec::new();
    }
    let mut found = Vec::new();
    if store.get("user").and_then(Value::as_str).is_none_or(|user| user.trim().is_empty()) {
        let (user, password) = (place(service, "store.user"), place(service, "store.password_file"));
        found.push(format!(
            "{user} is not set: the CQL servers must ask for a login; make a role for {service} and give it here, with its \
             password in {password} (k8s/README.md has the statements)"
        ));
    }
    if store.get("migrate").and_then(Value::to_bool) == Some(true) {
        let migrate = place(service, "store.migrate");
        found.push(format!(
            "{migrate} is true, which is for development: leave it out and run `dsom migrate` before, as a role that may \
             change a schema"
        ));
    }
    found
}

/// Every text of a table and of the tables in it, with the dotted path to it.
fn texts<'a>(inside: &str, table: &'a Dict) -> Vec<(String, &'a str)> {
    let each = table.iter().flat_map(|(name, value)| {
        let path = if inside.is_empty() { name.clone() } else { format!("{inside}.{name}") };
        match value {
            Value::String(_, text) => vec![(path, text.as_str())],
            Value::Dict(_, table) => texts(&path, table),
            _ => Vec::new(),
        }
    });
    each.collect()
}

/// Where a value is set: the variable, or the path in the file of what no variable sets.
fn place(service: &str, path: &str) -> String {
    match path.split_once('.') {
        None => variable(service, path),
        Some(("store", "engine")) => variable(service, "store"),
        Some(("store", field)) => variable(service, &format!("scylla_{field}")),
        Some(_) => format!("{path} in the file"),
    }
}

/// The environment variable of a field.
pub(crate) fn variable(service: &str, field: &str) -> String {
    format!("DSOM_{}_{}", service.to_uppercase(), field.to_uppercase())
}

#[cfg(test)]
mod tests {
    use figment::Figment;
    use figment::providers::{Format, Toml};

    use super::*;

    fn found(file: &str) -> Vec<String> {
        development("ingest", &Figment::from(Toml::string(file)).extract().expect("a table"))
    }

    #[test]
    fn what_is_for_development_is_found_in_tables_too() {
        for (file, said) in [
            ("receipt_issuer = 'https://a.dsom.localhost'", "DSOM_INGEST_RECEIPT_ISSUER is https://a.dsom.localhost,"),
            ("[oidc]\nissuer = 'http://id.example'", "oidc.issuer in the file is http://id.example,"),
            ("[oidc]\nissuer = 'https://issuer.dsom.localhost'", "oidc.issuer in the file is https://issuer.dsom."),
            ("[store]\nnodes = 'cql.dsom.localhost:9042'", "DSOM_INGEST_SCYLLA_NODES is cql.dsom.localhost:9042,"),
            ("[a.b]\nissuer = 'http://id.example'", "a.b.issuer in the file is http://id.example,"),
        ] {
            let found = found(file);
            assert!(found.len() == 1 && found[0].starts_with(said), "{file}: {found:?}");
        }
        let own = "jwks = 'http://licensing:7103/jwks.json'\n[oidc]\nissuer = 'https://id.example'\naudience = 'dsom'";
        assert_eq!(found(own), [""; 0]);
    }

    #[test]
    fn a_broker_is_one_that_asks_who_we_are() {
        let own = "nats_url = 'nats://nats:4222'";
        let keyed = format!("{own}\nnats_nkey_file = '/run/dsom/nats/nkey'");
        let registry = "registry_nats_url = 'nats://nats.dsom:4222'";
        for (file, said) in [
            (own.to_owned(), Some("DSOM_INGEST_NATS_NKEY_FILE is not set")),
            (format!("{own}\nnats_nkey_file = ' '"), Some("DSOM_INGEST_NATS_NKEY_FILE is not set")),
            (keyed.clone(), None),
            (format!("{keyed}\n{registry}"), Some("DSOM_INGEST_REGISTRY_NATS_NKEY_FILE is not set")),
            (format!("{keyed}\n{registry}\nregistry_nats_nkey_file = '/run/dsom/register/nkey'"), None),
        ] {
            let found = found(&file);
            let right =
                found.len() == said.iter().len() && found.iter().zip(said).all(|(found, said)| found.starts_with(said));
            assert!(right, "{file}: {found:?}");
        }
    }

    #[test]
    fn a_cql_server_is_one_that_asks_for_a_login_and_that_another_has_migrated() {
        let login = "engine = 'scylla'\nuser = 'ingest'\npassword_file = '/run/dsom/scylla/password'";
        for (store, said) in [
            ("engine = 'embedded'".to_owned(), &[][..]),
            (login.to_owned(), &[]),
            (format!("{login}\nmigrate = false"), &[]),
            (format!("{login}\nmigrate = true"), &["DSOM_INGEST_SCYLLA_MIGRATE is true"]),
            ("engine = 'scylla'".to_owned(), &["DSOM_INGEST_SCYLLA_USER is not set"]),
            ("engine = 'scylla'\nuser = ' '".to_owned(), &["DSOM_INGEST_SCYLLA_USER is not set"]),
            (
                "engine = 'scylla'\nmigrate = true".to_owned(),
                &["DSOM_INGEST_SCYLLA_USER is not set", "DSOM_INGEST_SCYLLA_MIGRATE is true"],
            ),
        ] {
            let found = found(&format!("[store]\n{store}"));
            let right =
                found.len() == said.len() && found.iter().zip(said).all(|(found, said)| found.starts_with(said));
            assert!(right, "{store}: {found:?}");
        }
    }
}
