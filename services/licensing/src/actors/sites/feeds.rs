//! The feeds as they are served: made once a serial, signed, and shared by all who read them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use contracts::UnixMillis;
use runtime::signing::SigningKey;
use serde_json::json;
use tokio::sync::watch;

use super::{Shown, Surroundings};
use crate::domain::sites::delta::NoDelta;
use crate::domain::sites::feeds::{self, Feed};
use crate::domain::sites::list::BlockList;
use crate::domain::sites::rpz::{Zone, rpz, rpz_delta};
use crate::domain::sites::serial::Serial;

/// The critical header of a past feed's signature: its moment, RFC 3339 UTC with milliseconds.
const AS_OF: &str = "as_of";

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
    /// Signs a feed, for what it is: the list of now, or with `as_of` that of a moment.
    ///
    /// Anybody may ask for the list of any moment, and gets the bytes that were served then. A signature as that of the list
    /// of now would be one that a thief of the line could hand to a resolver: an old list, signed today, with a key that is in
    /// force. So the signature of a past feed names its moment among what it protects, as a critical header (RFC 7515 section
    /// 4.1.11): who has not been told of `as_of` MUST refuse it, and every reader of the list of now is one who has not.
    pub fn new(Feed { bytes, etag, .. }: Feed, as_of: Option<UnixMillis>, signer: &dyn Signer) -> Self {
        let mut header = json!({"alg": "EdDSA", "b64": false, "crit": ["b64"], "kid": signer.kid()});
        if let (Some(moment), Some(header)) = (as_of, header.as_object_mut()) {
            header.insert(AS_OF.to_owned(), moment.to_string().into());
            header.insert("crit".to_owned(), json!([AS_OF, "b64"]));
        }
        let header = URL_SAFE_NO_PAD.encode(header.to_string());
        let message = [header.as_bytes(), b".", &bytes].concat();
        let jws = format!("{header}..{}", URL_SAFE_NO_PAD.encode(signer.sign(&message)));
        Self { bytes: bytes.into(), etag, jws }
    }
}

/// Which feed is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// In which form.
    pub form: Form,
    /// Only what changed since.
    pub since: Option<Serial>,
    /// As it was served at a moment.
    pub as_of: Option<UnixMillis>,
}

/// A form of the feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Sites and accounts, as JSON.
    Json,
    /// Sites, one a line.
    Text,
    /// Sites, as a DNS response policy zone; what changed, as an incremental transfer of it.
    Zone,
}

/// Why there is no such feed.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The reader takes the whole feed.
    #[error("there is no delta")]
    NoDelta(#[source] NoDelta),
    /// Too many are made of the past at once.
    #[error("too many ask for feeds of the past at once")]
    TooMany,
    /// A fault of ours.
    #[error("the feed could not be made: {0}")]
    Fault(String),
}

/// Makes and signs one feed: work for a thread that serves nobody meanwhile.
///
/// # Errors
/// [`FeedError`]
pub(super) fn make_one(
    list: &BlockList,
    around: &Surroundings,
    Wanted { form, since, as_of }: Wanted,
) -> Result<SignedFeed, FeedError> {
    let then = as_of.map(|moment| list.as_of(moment));
    let list = then.as_ref().unwrap_or(list);
    let delta = |since| list.delta(since).map_err(FeedError::NoDelta);
    let fault = |error: serde_json::Error| FeedError::Fault(error.to_string());
    let feed = match (form, since) {
        (Form::Json, None) => feeds::json(list).map_err(fault)?,
        (Form::Json, Some(since)) => feeds::json_delta(&delta(since)?).map_err(fault)?,
        (Form::Text, None) => feeds::text(list),
        (Form::Text, Some(since)) => feeds::text_delta(&delta(since)?),
        (Form::Zone, None) => rpz(list, zone_of(list, around)).feed,
        (Form::Zone, Some(since)) => rpz_delta(list, zone_of(list, around), since).map_err(FeedError::NoDelta)?,
    };
    Ok(SignedFeed::new(feed, as_of, &*around.signer))
}

/// The zone as its list has it. What this process is set to is not asked: where processes are started one by one with new settings,
/// two of them would serve two zones under one serial.
fn zone_of<'a>(list: &'a BlockList, around: &'a Surroundings) -> &'a Zone {
    list.zone().unwrap_or(&around.zone)
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
    /// One of them.
    pub fn of(&self, form: Form) -> &SignedFeed {
        match form {
            Form::Json => &self.json,
            Form::Text => &self.text,
            Form::Zone => &self.zone,
        }
    }

    /// Makes and signs them: work for a thread that serves nobody meanwhile.
    ///
    /// # Errors
    /// What the encoder says; a list has no form it refuses.
    pub fn make(list: &BlockList, around: &Surroundings) -> Result<Self, serde_json::Error> {
        let signer = &*around.signer;
        let zone = rpz(list, zone_of(list, around));
        if zone.domains_left_out + zone.wildcards_left_out > 0 {
            let (domains, wildcards) = (zone.domains_left_out, zone.wildcards_left_out);
            tracing::warn!(domains, wildcards, "names are too long for the policy zone and were left out of it");
        }
        Ok(Self {
            serial: list.serial(),
            json: SignedFeed::new(feeds::json(list)?, None, signer),
            text: SignedFeed::new(feeds::text(list), None, signer),
            zone: SignedFeed::new(zone.feed, None, signer),
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
