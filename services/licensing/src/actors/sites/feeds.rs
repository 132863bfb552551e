//! The feeds as they are served: made once a serial, signed, and shared by all who read them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use runtime::signing::SigningKey;
use serde_json::json;
use tokio::sync::watch;

use super::{Shown, Surroundings};
use crate::domain::sites::feeds::{self, Feed};
use crate::domain::sites::list::BlockList;
use crate::domain::sites::rpz::rpz;
use crate::domain::sites::serial::Serial;

/// Signs what is published. The public key must be among those the service shows.
pub trait Signer: Send + Sync + 'static {
    /// The id of the key.
    fn kid(&self) -> &str;
    /// The Ed25519 signature (RFC 8032) of a message: 64 bytes.
    fn sign(&self, message: &[u8]) -> Vec<u8>;
}

impl Signer for SigningKey {
    fn kid(&self) -> &str {
        SigningKey::kid(self)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        SigningKey::sign(self, message)
    }
}

/// A feed with its signature.
#[derive(Debug, Clone)]
pub struct SignedFeed {
    /// The body.
    pub bytes: Bytes,
    /// The strong entity tag, with its quotes.
    pub etag: String,
    /// A compact JWS (RFC 7515) with its payload, the body as it is, detached (RFC 7797).
    pub jws: String,
}

impl SignedFeed {
    /// Signs a feed.
    pub fn new(Feed { bytes, etag, .. }: Feed, signer: &dyn Signer) -> Self {
        let header = json!({"alg": "EdDSA", "b64": false, "crit": ["b64"], "kid": signer.kid()});
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let message = [header.as_bytes(), b".", &bytes].concat();
        let jws = format!("{header}..{}", URL_SAFE_NO_PAD.encode(signer.sign(&message)));
        Self { bytes: bytes.into(), etag, jws }
    }
}

/// All that is in force, in three forms.
#[derive(Debug, Clone)]
pub struct Feeds {
    /// The serial of the list they show.
    pub serial: Serial,
    /// Sites and accounts, as JSON.
    pub json: SignedFeed,
    /// Sites, one a line.
    pub text: SignedFeed,
    /// Sites, as a DNS response policy zone.
    pub zone: SignedFeed,
}

impl Feeds {
    /// Makes and signs them: work for a thread that serves nobody meanwhile.
    ///
    /// # Errors
    /// What the encoder says; a list has no form it refuses.
    pub fn make(list: &BlockList, around: &Surroundings) -> Result<Self, serde_json::Error> {
        let signer = &*around.signer;
        let zone = rpz(list, &around.zone);
        if zone.domains_left_out + zone.wildcards_left_out > 0 {
            let (domains, wildcards) = (zone.domains_left_out, zone.wildcards_left_out);
            tracing::warn!(domains, wildcards, "names are too long for the policy zone and were left out of it");
        }
        Ok(Self {
            serial: list.serial(),
            json: SignedFeed::new(feeds::json(list)?, signer),
            text: SignedFeed::new(feeds::text(list), signer),
            zone: SignedFeed::new(zone.feed, signer),
        })
    }
}

/// Makes the feeds anew whenever the serial has risen, until nobody shows a list any more. Of lists that follow each
/// other faster than feeds are made only the last is shown.
pub(super) async fn publish(around: Surroundings, mut shown: watch::Receiver<Shown>, feeds: watch::Sender<Arc<Feeds>>) {
    while shown.changed().await.is_ok() {
        let now = shown.borrow_and_update().clone();
        if now.sites.list().serial() == feeds.borrow().serial {
            continue;
        }
        match make(&around, now).await {
            Ok(made) => drop(feeds.send_replace(Arc::new(made))),
            Err(error) => tracing::error!(error, "the feeds could not be made, the old ones are served"),
        }
    }
}

/// Makes the feeds on a thread of their own.
pub(super) async fn make(around: &Surroundings, shown: Shown) -> Result<Feeds, String> {
    let around = around.clone();
    let work = tokio::task::spawn_blocking(move || Feeds::make(shown.sites.list(), &around));
    work.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}
