//! A record: one JSON object, read in place and checked against every rule of the wire.
//!
//! There are two readers. [`plain`] knows the usual form and allocates nothing; [`strict`] is built on `serde_json` and decides
//! whatever the first one leaves open. Both only find names and values; [`rules`] then judges them, so a record means the same
//! whichever reader saw it.

mod personal;
mod plain;
mod rules;
mod strict;
mod values;

use std::borrow::Cow;

pub use values::{
    AdjustmentKind, AdjustmentStatus, Channel, Kind, Method, Outcome, PayoutKind, RefundReason, Vertical,
};

use crate::money::{Currency, Minor, Odds};
use crate::time::UnixNanos;
use crate::{RecordId, Seq, UnixMillis};

/// Most bytes of a record.
pub const RECORD_BYTES_MAX: usize = 2_048;
/// Earliest `at`: 2020-01-01T00:00:00Z.
pub const AT_MIN: UnixNanos = UnixNanos(1_577_836_800_000_000_000);
/// How far `at` may be ahead of the server, in milliseconds.
pub const AT_AHEAD_MS_MAX: i64 = 5_000;

/// A valid record; texts are borrowed from its bytes when they stand there in the plain form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Place in its stream.
    pub seq: Seq,
    /// Unique per operator for ever.
    pub id: RecordId,
    /// When it happened.
    pub at: UnixNanos,
    /// Stake, gross payout, refund or movement.
    pub amount: Minor,
    /// ISO 4217.
    pub currency: Currency,
    /// Where the player acted.
    pub channel: Channel,
    /// Operator-scoped pseudonym of the player.
    pub player: Option<Cow<'a, str>>,
    /// Pseudonym of the play session.
    pub session: Option<Cow<'a, str>>,
    /// The earlier record that this one puts right.
    pub corrects: Option<RecordId>,
    /// What its type adds.
    pub body: Body<'a>,
}

impl Record<'_> {
    /// The record with texts of its own.
    fn into_owned(self) -> Record<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        let body = match self.body {
            Body::Wager(wager) => Body::Wager(Wager {
                vertical: wager.vertical,
                game: owned(wager.game),
                build: wager.build,
                round: owned(wager.round),
                split: wager.split,
                jackpot: wager.jackpot,
                odds: wager.odds,
                outcome: wager.outcome,
            }),
            Body::Payout(payout) => Body::Payout(payout),
            Body::Refund(refund) => Body::Refund(refund),
            Body::Adjustment(adjustment) => Body::Adjustment(adjustment),
        };
        Record {
            seq: self.seq,
            id: self.id,
            at: self.at,
            amount: self.amount,
            currency: self.currency,
            channel: self.channel,
            player: self.player.map(owned),
            session: self.session.map(owned),
            corrects: self.corrects,
            body,
        }
    }
}

/// What each type of record adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body<'a> {
    /// A stake placed.
    Wager(Wager<'a>),
    /// A wager's return.
    Payout(Payout),
    /// A stake given back.
    Refund(Refund),
    /// Another movement of a player's balance.
    Adjustment(Adjustment),
}

/// A stake placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wager<'a> {
    /// Kind of game.
    pub vertical: Vertical,
    /// Id in the providers register.
    pub game: Cow<'a, str>,
    /// SHA-256 of the certified build.
    pub build: Option<[u8; 32]>,
    /// Round, bet or draw.
    pub round: Cow<'a, str>,
    /// Cash and bonus parts of the stake; `None`: all cash.
    pub split: Option<Split>,
    /// Part of the stake that feeds a jackpot.
    pub jackpot: Option<Minor>,
    /// Odds taken.
    pub odds: Option<Odds>,
    /// Whether it is settled at once.
    pub outcome: Outcome,
}

/// Parts of a stake; they add up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// From the player's money.
    pub cash: Minor,
    /// From bonus money.
    pub bonus: Minor,
}

/// A wager's return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Payout {
    /// The wager.
    pub wager: RecordId,
    /// Why it was paid.
    pub kind: PayoutKind,
    /// Tax withheld.
    pub withheld: Option<Minor>,
}

/// A stake given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refund {
    /// The wager.
    pub wager: RecordId,
    /// Why.
    pub reason: RefundReason,
}

/// Another movement of a player's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjustment {
    /// What moved.
    pub kind: AdjustmentKind,
    /// By which means.
    pub method: Option<Method>,
    /// Whether it came to pass.
    pub status: AdjustmentStatus,
    /// The player's balance after it.
    pub balance: Option<Minor>,
}

/// One thing that is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the value, empty for the record as a whole.
    pub pointer: String,
    /// Stable code.
    pub code: RecordCode,
    /// What is wrong and what would be right.
    pub detail: String,
}

macro_rules! record_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $text:literal,)+) => {
        /// Why a record is refused: stable, shown as text on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RecordCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl RecordCode {
            /// Every code with its text and meaning, for documents.
            pub const ALL: &'static [(Self, &'static str, &'static str)] =
                &[$((Self::$variant, $text, concat!($($doc),+)),)+];

            /// The code as on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

record_codes! {
    /// The bytes are not one JSON object by RFC 8259 (a lone surrogate or a byte order mark counts as well).
    BadJson = "bad-json",
    /// The record has more than 2,048 bytes.
    TooLong = "too-long",
    /// A value is nested deeper than two levels.
    TooDeep = "too-deep",
    /// A name stands twice.
    DuplicateName = "duplicate-name",
    /// A name no record of this type has.
    UnknownName = "unknown-name",
    /// A name that this record must have is missing.
    Missing = "missing",
    /// The value is of another JSON type than the name asks for.
    WrongType = "wrong-type",
    /// A number with a fraction or an exponent where an integer is asked for.
    NotAnInteger = "not-an-integer",
    /// A number outside its range.
    OutOfRange = "out-of-range",
    /// Not a lower-case hyphenated UUID, or the nil or max one.
    BadUuid = "bad-uuid",
    /// Not an RFC 3339 time with Z, or a date that does not exist (leap seconds are not accepted).
    BadTime = "bad-time",
    /// A text that does not have the form its name asks for.
    BadForm = "bad-form",
    /// A word that is not in the list its name allows.
    UnknownValue = "unknown-value",
    /// Not an ISO 4217 code of a currency in force.
    UnknownCurrency = "unknown-currency",
    /// A pseudonym that could be a tax, phone, card or account number.
    PersonalData = "personal-data",
    /// Values that contradict each other.
    Contradiction = "contradiction",
}

impl serde::Serialize for RecordCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Reads and checks one record.
///
/// `bytes`: the object as sent, without line end. `now`: the server's time, for the limit on `at`.
///
/// # Errors
/// Everything that is wrong with it, at least one violation.
pub fn parse(bytes: &[u8], now: UnixMillis) -> Result<Record<'_>, Vec<Violation>> {
    let mut fields = values::Fields::new();
    if bytes.len() <= RECORD_BYTES_MAX
        && plain::read(bytes, &mut fields)
        && let Ok(record) = rules::judge(&fields, Vec::new(), now)
    {
        return Ok(record);
    }
    parse_strictly(bytes, now)
}

/// As [`parse`], by the strict reader alone. Slower; what it says is what counts.
///
/// # Errors
/// As [`parse`].
pub fn parse_strictly(bytes: &[u8], now: UnixMillis) -> Result<Record<'_>, Vec<Violation>> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(vec![Violation {
            pointer: String::new(),
            code: RecordCode::TooLong,
            detail: format!("the record has {} bytes, at most {RECORD_BYTES_MAX} are allowed", bytes.len()),
        }]);
    }
    let mut found = strict::read(bytes)?;
    let violations = std::mem::take(&mut found.violations);
    rules::judge(&found.fields(), violations, now).map(Record::into_owned)
}

/// The `seq` of a record that may be bad in every other way; `None` where it can't be told, as in one that is too long to be read.
pub fn seq_of(bytes: &[u8]) -> Option<u64> {
    if bytes.len() > RECORD_BYTES_MAX {
        return None;
    }
    let found = strict::read(bytes).ok()?;
    match found.fields().get(values::Name::Seq) {
        values::Value::Int(seq) => Some(seq),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
