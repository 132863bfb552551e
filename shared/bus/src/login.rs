//! Who we are to the broker, and where its streams are, seen from there.
//!
//! A broker that asks who somebody is keeps its streams in accounts (`k8s/base/nats/accounts.conf`): `TX`, `LEDGER` and `ALERTS` in one,
//! `REGISTRY` in another. Nothing of an account is seen from outside but what it exports, and that under another prefix.

use std::path::{Path, PathBuf};

use async_nats::{Auth, AuthError, ClientError, ConnectErrorKind, ConnectOptions};
use contracts::subjects;

/// Where what the accounts bring in of `TX`, `LEDGER` and `ALERTS` is asked for.
const STREAMS_API: &str = "STREAMS.API";
/// Where what they bring in of `REGISTRY` is asked for.
const REGISTRY_API: &str = "REGISTRY.API";
/// Where an account's own streams are asked for.
const OWN_API: &str = "$JS.API";

/// A key, and the account that it opens.
#[derive(Debug, Clone)]
pub struct Login {
    /// The seed of an NKEY of a user. Never logged.
    pub nkey_file: PathBuf,
    /// Whose account it is.
    pub home: Home,
}

/// Which account somebody lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// That of `TX`, `LEDGER` and `ALERTS`: chaining's.
    Streams,
    /// That of `REGISTRY`: licensing's.
    Registry,
    /// Another, which holds neither.
    Elsewhere,
}

/// The prefix of JetStream's API for `TX`, `LEDGER` and `ALERTS`; `None` for a broker that asks nobody.
pub(crate) fn streams_api(login: Option<&Login>) -> &'static str {
    match login.map(|login| login.home) {
        None | Some(Home::Streams) => OWN_API,
        Some(Home::Registry | Home::Elsewhere) => STREAMS_API,
    }
}

/// The same for `REGISTRY`.
pub(crate) fn registry_api(login: Option<&Login>) -> &'static str {
    match login.map(|login| login.home) {
        None | Some(Home::Registry) => OWN_API,
        Some(Home::Streams | Home::Elsewhere) => REGISTRY_API,
    }
}

/// What somebody is to a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Makes it, and gives it its limits.
    Keeper,
    /// Needs it, and can't make it.
    Guest,
    /// Does without.
    None,
}

/// What somebody with this login is to a stream.
pub(crate) fn part(login: Option<&Login>, stream: &str) -> Part {
    let registry = stream == subjects::REGISTRY;
    match (login.map(|login| login.home), registry) {
        (None, _) | (Some(Home::Streams), false) | (Some(Home::Registry), true) => Part::Keeper,
        (Some(Home::Elsewhere), false) => Part::Guest,
        // Who follows the register waits for it; a sandbox has none on its own broker.
        (Some(Home::Streams | Home::Elsewhere), true) | (Some(Home::Registry), false) => Part::None,
    }
}

/// How to connect. The key is read anew for each connection, so that one that was replaced is taken without a restart.
pub(crate) fn options(login: Option<&Login>) -> ConnectOptions {
    let Some(Login { nkey_file, .. }) = login.cloned() else { return ConnectOptions::new() };
    ConnectOptions::with_auth_callback(move |nonce| {
        let signed = sign(&nkey_file, &nonce);
        std::future::ready(signed.map_err(AuthError::new))
    })
}

fn sign(nkey_file: &Path, nonce: &[u8]) -> Result<Auth, String> {
    // What is in the file is said nowhere.
    let seed = std::fs::read_to_string(nkey_file).map_err(|error| error.to_string())?;
    let pair = nkeys::KeyPair::from_seed(seed.trim()).map_err(|_| "no seed of an NKEY".to_owned())?;
    let signature = pair.sign(nonce).map_err(|_| "no seed, the public half of an NKEY".to_owned())?;
    let mut auth = Auth::new();
    (auth.nkey, auth.signature) = (Some(pair.public_key()), Some(signature));
    Ok(auth)
}

/// Whether a client that tries to connect again was not let in, or has no key to try with.
pub(crate) fn is_refusal(error: &ClientError) -> bool {
    let refusals = [ConnectErrorKind::AuthorizationViolation, ConnectErrorKind::Authentication];
    matches!(error, ClientError::Other(said) if refusals.iter().any(|kind| *said == kind.to_string()))
}

/// What to do when the broker refuses us.
pub(crate) fn advice(login: Option<&Login>) -> String {
    match login {
        None => {
            "set nats_nkey_file to this service's key; `dsom keys` makes it, and the users.conf that the server wants"
                .to_owned()
        }
        Some(Login { nkey_file, .. }) => format!(
            "the key in {} is not that of a user there; give the server the users.conf that `dsom keys` writes from these keys, and reload it \
             (docs/OPERATIONS.md, The broker's keys)",
            nkey_file.display()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stream_has_one_keeper_and_is_asked_for_where_it_lives() {
        let login = |home| Some(Login { nkey_file: PathBuf::new(), home });
        for (home, [streams, registry], [tx, told]) in [
            (None, ["$JS.API", "$JS.API"], [Part::Keeper, Part::Keeper]),
            (Some(Home::Streams), ["$JS.API", "REGISTRY.API"], [Part::Keeper, Part::None]),
            (Some(Home::Registry), ["STREAMS.API", "$JS.API"], [Part::None, Part::Keeper]),
            (Some(Home::Elsewhere), ["STREAMS.API", "REGISTRY.API"], [Part::Guest, Part::None]),
        ] {
            let login = home.and_then(login);
            let login = login.as_ref();
            assert_eq!((streams_api(login), registry_api(login)), (streams, registry), "{home:?}");
            assert_eq!((part(login, subjects::TX), part(login, subjects::REGISTRY)), (tx, told), "{home:?}");
        }
    }
}
