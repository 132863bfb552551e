//! Operators on `REGISTRY` without licensing: what services that follow it are told in tests.

use std::num::NonZeroU8;

use bus::{Bus, BusConfig, Headers, LostStreams, StreamBytes};
use contracts::events::CE_SPECVERSION;
use contracts::receipt::Env;
use contracts::registry::{
    ActiveTime, Beat, CE_BEAT, CE_OPERATOR, KeyStanding, LicenceKind, LicenceStanding, LicenceState, OperatorStanding,
};
use contracts::{OperatorId, UnixMillis, subjects};
use serde_json::Value;

use crate::NatsServer;

/// 2020-01-01, before which no record is taken.
pub const SINCE_2020: UnixMillis = UnixMillis(1_577_836_800_000);
/// Far ahead: a beat of then never grows old.
const AHEAD: UnixMillis = UnixMillis(4_102_444_800_000);

/// An operator with every kind of licence, active since 2020, and no key.
pub fn standing(operator: OperatorId) -> OperatorStanding {
    let licence = |kind: LicenceKind| licence(kind, LicenceState::Active, &[(SINCE_2020, None)]);
    OperatorStanding {
        operator,
        version: 1,
        head: None,
        at: SINCE_2020,
        name: "An operator".to_owned(),
        licences: LicenceKind::ALL.into_iter().map(licence).collect(),
        keys: Vec::new(),
        signature_required: false,
    }
}

/// A licence that was active in these times.
pub fn licence(kind: LicenceKind, state: LicenceState, active: &[(UnixMillis, Option<UnixMillis>)]) -> LicenceStanding {
    let active = active.iter().map(|(from, until)| ActiveTime { from: *from, until: *until }).collect();
    LicenceStanding { licence: kind.as_str().to_owned(), kind, state, active, ends: None }
}

/// A registered key of the test world that may be used from 2020 to 2099.
pub fn key(kid: &str, jwk: Value) -> KeyStanding {
    KeyStanding { kid: kid.to_owned(), jwk, env: Env::Test, not_before: SINCE_2020, expires: AHEAD }
}

/// Says on `REGISTRY` how operators stand, and that licensing is alive for as long as the test lasts.
pub async fn publish(nats: &NatsServer, standings: &[OperatorStanding]) {
    tell(nats, standings).await;
    beat(nats, AHEAD).await;
}

/// Says on `REGISTRY` how operators stand, and nothing more.
pub async fn tell(nats: &NatsServer, standings: &[OperatorStanding]) {
    let bus = connect(nats).await;
    for standing in standings {
        let subject = subjects::registry_operator(standing.operator);
        let id = format!("{}.{}", standing.operator, standing.version);
        let payload = serde_json::to_vec(standing).unwrap();
        bus.publish(&subject, headers(CE_OPERATOR, &id), payload.into()).await.unwrap();
    }
}

/// Says on `REGISTRY` that licensing was alive at a time.
pub async fn beat(nats: &NatsServer, at: UnixMillis) {
    let payload = serde_json::to_vec(&Beat { at }).unwrap();
    let headers = headers(CE_BEAT, &at.to_string());
    connect(nats).await.publish(subjects::REGISTRY_BEAT, headers, payload.into()).await.unwrap();
}

/// As licensing does: no message id, for the subject's last message is all that counts.
fn headers(kind: &str, id: &str) -> Headers {
    let mut headers = Headers::new();
    headers.insert("ce-specversion", CE_SPECVERSION);
    headers.insert("ce-type", kind);
    headers.insert("ce-id", id);
    headers
}

async fn connect(nats: &NatsServer) -> Bus {
    let (url, monitor_url) = (nats.url(), nats.monitor_url());
    let config = BusConfig { url, monitor_url, replicas: NonZeroU8::MIN, name: "testkit".to_owned(), login: None };
    let bus = Bus::connect(config).await.unwrap();
    if bus.state_of(subjects::REGISTRY).await.is_err() {
        bus.declare(StreamBytes::default(), LostStreams::Leave).await.unwrap();
    }
    bus
}
