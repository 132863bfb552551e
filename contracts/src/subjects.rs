//! The names on the bus: streams, subjects and headers. `asyncapi.yaml` says the same for people.

use crate::ids::{OperatorId, StreamNo};

/// JetStream stream of accepted batches. Ingest writes, chaining reads and trims.
pub const TX: &str = "TX";
/// JetStream stream of sealed blocks and checkpoints. Chaining writes.
pub const LEDGER: &str = "LEDGER";
/// JetStream stream of alerts.
pub const ALERTS: &str = "ALERTS";
/// JetStream stream of who may do what: the last word about each operator. Licensing writes.
pub const REGISTRY: &str = "REGISTRY";

/// JetStream stream of what the sandbox was asked and what it answered. Ingest of the sandbox writes; it drops the oldest.
pub const SANDBOX: &str = "SANDBOX";
/// All subjects of `SANDBOX`.
pub const SANDBOX_ALL: &str = "sandbox.>";

/// All subjects of `TX`: `tx.<partition>.<operator>.<stream>`.
pub const TX_ALL: &str = "tx.>";
/// All subjects of `LEDGER`.
pub const LEDGER_ALL: &str = "ledger.>";
/// All subjects of `ALERTS`: `alerts.<kind>.<operator>`.
pub const ALERTS_ALL: &str = "alerts.>";
/// All subjects of `REGISTRY`.
pub const REGISTRY_ALL: &str = "registry.>";
/// The subject on which licensing says that it is alive (`registry::Beat`).
pub const REGISTRY_BEAT: &str = "registry.beat";
/// The subject of signed checkpoints.
pub const LEDGER_CHECKPOINT: &str = "ledger.checkpoint";
/// Core NATS request to chaining for the sealed frames of a range (see `ask`).
pub const ASK_FRAMES: &str = "ask.chaining.frames";
/// Core NATS request of a chaining process to the one that writes the log: a block was sealed (see `ask`).
pub const TELL_SEALED: &str = "tell.chaining.sealed";

/// Number of partitions of `TX`. Fixed for the life of a deployment: an operator's subject holds its partition.
pub const PARTITIONS: u16 = 64;

/// The partition of an operator: the last two bytes of its UUID (random in versions 4 and 7 alike), big-endian, modulo
/// [`PARTITIONS`].
pub fn partition(operator: OperatorId) -> u16 {
    let [.., high, low] = *operator.as_bytes();
    u16::from_be_bytes([high, low]) % PARTITIONS
}

/// `tx.<partition>.<operator>.<stream>`.
pub fn tx(operator: OperatorId, stream: StreamNo) -> String {
    format!("tx.{}.{operator}.{stream}", partition(operator))
}

/// Whose and which stream a subject of `TX` names; `None` when [`tx`] would not write it so.
pub fn parse_tx(subject: &str) -> Option<(OperatorId, StreamNo)> {
    let mut parts = subject.split('.').skip(2);
    let (operator, stream) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (tx(operator, stream) == subject).then_some((operator, stream))
}

/// `tx.<partition>.<operator>.*`: all streams of an operator.
pub fn tx_of_operator(operator: OperatorId) -> String {
    format!("tx.{}.{operator}.*", partition(operator))
}

/// `tx.<partition>.>`: all streams of all operators of a partition.
pub fn tx_of_partition(partition: u16) -> String {
    format!("tx.{partition}.>")
}

/// `ledger.block.<operator>`.
pub fn ledger_block(operator: OperatorId) -> String {
    format!("ledger.block.{operator}")
}

/// `registry.operator.<operator>`: how an operator stands (`registry::OperatorStanding`).
pub fn registry_operator(operator: OperatorId) -> String {
    format!("registry.operator.{operator}")
}

/// `sandbox.exchange.<operator>`: a request of an operator, and its answer (`traffic::Exchange`).
pub fn sandbox_exchange(operator: OperatorId) -> String {
    format!("sandbox.exchange.{operator}")
}

/// `alerts.<kind>.<operator>`; `kind` is one of the constants of `events`.
pub fn alert(kind: &str, operator: OperatorId) -> String {
    format!("alerts.{kind}.{operator}")
}
