//! What the values of a record must be, alone and together. Both readers end here.

use std::borrow::Cow;

use super::values::{Fields, Name, Value};
use super::{
    AT_AHEAD_MS_MAX, AT_MIN, Adjustment, AdjustmentKind, AdjustmentStatus, Body, Channel, Kind, Method, Outcome,
    Payout, PayoutKind, Record, RecordCode, Refund, RefundReason, Split, Vertical, Violation, Wager, personal,
};
use crate::money::{Currency, Minor, Odds};
use crate::time::UnixNanos;
use crate::{RecordId, Seq, UnixMillis};

/// Judges found values; `violations` holds what a reader found already.
pub(super) fn judge<'a>(
    fields: &Fields<'a>,
    violations: Vec<Violation>,
    now: UnixMillis,
) -> Result<Record<'a>, Vec<Violation>> {
    let mut judge = Judge { fields, violations };
    match judge.record(now) {
        Some(record) if judge.violations.is_empty() => Ok(record),
        _ => Err(judge.violations),
    }
}

struct Judge<'f, 'a> {
    fields: &'f Fields<'a>,
    violations: Vec<Violation>,
}

impl<'a> Judge<'_, 'a> {
    /// `None` only after a violation was noted. Everything is looked at before the first `?`, so that all faults are told at once.
    fn record(&mut self, now: UnixMillis) -> Option<Record<'a>> {
        let kind = self.word(Name::Type, Kind::read, Kind::WORDS);
        if let Some(kind) = kind {
            self.refuse_foreign(kind);
        }
        let seq = self.number(Name::Seq, 1, Seq::MAX).and_then(Seq::new);
        let id = self.id(Name::Id);
        let at = self.at(now);
        let amount = self.amount(Name::Amount);
        let currency =
            self.form(Name::Currency, Currency::read, RecordCode::UnknownCurrency, "an ISO 4217 code in force");
        let channel = self.word(Name::Channel, Channel::read, Channel::WORDS);
        let player = self.optional(Name::Player, Self::pseudonym);
        let session = self.optional(Name::Session, Self::pseudonym);
        let corrects = self.optional(Name::Corrects, Self::id);
        let body = match kind? {
            Kind::Wager => self.wager(amount).map(Body::Wager),
            Kind::Payout => self.payout(amount).map(Body::Payout),
            Kind::Refund => self.refund(amount).map(Body::Refund),
            Kind::Adjustment => self.adjustment().map(Body::Adjustment),
        };
        Some(Record {
            seq: seq?,
            id: id?,
            at: at?,
            amount: amount?,
            currency: currency?,
            channel: channel?,
            player: player?,
            session: session?,
            corrects: corrects?,
            body: body?,
        })
    }

    fn wager(&mut self, amount: Option<Minor>) -> Option<Wager<'a>> {
        self.at_least_one(amount);
        let vertical = self.word(Name::Vertical, Vertical::read, Vertical::WORDS);
        let game = self.text_of(Name::Game, is_game, "3 to 64 of a-z 0-9 . -, beginning with a letter");
        let build = self.optional(Name::Build, |judge, name| {
            judge.form(name, build, RecordCode::BadForm, "64 lower-case hexadecimal digits")
        });
        let round = self.text_of(Name::Round, is_round, "1 to 64 of A-Z a-z 0-9 _ : -");
        let cash = self.optional(Name::Cash, Self::amount);
        let bonus = self.optional(Name::Bonus, Self::amount);
        let jackpot = self.optional(Name::Jackpot, Self::amount);
        let odds = self.optional(Name::Odds, |judge, name| {
            judge.form(
                name,
                Odds::read,
                RecordCode::BadForm,
                "a decimal text from 1.01 to 100000 with at most 4 decimals",
            )
        });
        let outcome = self.optional(Name::Outcome, |judge, name| judge.word(name, Outcome::read, Outcome::WORDS));

        let split = match (cash?, bonus?) {
            (None, None) => None,
            (Some(cash), Some(bonus)) => {
                if amount.is_some_and(|amount| cash.get() + bonus.get() != amount.get()) {
                    self.wrong::<()>(Name::Cash, RecordCode::Contradiction, "cash + bonus must be amount");
                }
                Some(Split { cash, bonus })
            }
            (None, Some(_)) => return self.wrong(Name::Cash, RecordCode::Missing, "cash and bonus come together"),
            (Some(_), None) => return self.wrong(Name::Bonus, RecordCode::Missing, "cash and bonus come together"),
        };
        self.within_amount(Name::Jackpot, jackpot?, amount);
        let priced = matches!(vertical?, Vertical::Betting | Vertical::Virtual);
        if odds?.is_some() && !priced {
            self.wrong::<()>(Name::Odds, RecordCode::Contradiction, "odds only when vertical is betting or virtual");
        }
        Some(Wager {
            vertical: vertical?,
            game: game?,
            build: build?,
            round: round?,
            split,
            jackpot: jackpot?,
            odds: odds?,
            outcome: outcome?.unwrap_or(Outcome::Open),
        })
    }

    fn payout(&mut self, amount: Option<Minor>) -> Option<Payout> {
        let wager = self.id(Name::Wager);
        let kind = self.word(Name::Kind, PayoutKind::read, PayoutKind::WORDS);
        let withheld = self.optional(Name::Withheld, Self::amount);
        if let (Some(kind), Some(amount)) = (kind, amount) {
            match (kind, amount.get()) {
                (PayoutKind::Loss, 1..) => {
                    self.wrong::<()>(Name::Amount, RecordCode::Contradiction, "a loss pays nothing: amount must be 0");
                }
                (PayoutKind::Loss, 0) | (_, 1..) => {}
                (_, 0) => {
                    self.wrong::<()>(Name::Amount, RecordCode::Contradiction, "amount may be 0 only when kind is loss");
                }
            }
        }
        self.within_amount(Name::Withheld, withheld?, amount);
        Some(Payout { wager: wager?, kind: kind?, withheld: withheld? })
    }

    fn refund(&mut self, amount: Option<Minor>) -> Option<Refund> {
        self.at_least_one(amount);
        let wager = self.id(Name::Wager);
        let reason = self.word(Name::Reason, RefundReason::read, RefundReason::WORDS);
        Some(Refund { wager: wager?, reason: reason? })
    }

    fn adjustment(&mut self) -> Option<Adjustment> {
        let kind = self.word(Name::Kind, AdjustmentKind::read, AdjustmentKind::WORDS);
        let method = self.optional(Name::Method, |judge, name| judge.word(name, Method::read, Method::WORDS));
        let status = self.word(Name::Status, AdjustmentStatus::read, AdjustmentStatus::WORDS);
        let balance = self.optional(Name::Balance, Self::amount);
        if matches!(kind, Some(AdjustmentKind::Deposit | AdjustmentKind::Withdrawal)) && method == Some(None) {
            self.wrong::<()>(Name::Method, RecordCode::Missing, "a deposit or withdrawal must have a method");
        }
        Some(Adjustment { kind: kind?, method: method?, status: status?, balance: balance? })
    }

    fn refuse_foreign(&mut self, kind: Kind) {
        for name in self.fields.foreign(kind) {
            let detail = format!("a {} has no such name; remove it", kind.as_str());
            self.wrong::<()>(name, RecordCode::UnknownName, &detail);
        }
    }

    fn at_least_one(&mut self, amount: Option<Minor>) {
        if amount.is_some_and(|amount| amount.get() == 0) {
            self.wrong::<()>(Name::Amount, RecordCode::OutOfRange, "amount must be at least 1");
        }
    }

    fn within_amount(&mut self, name: Name, part: Option<Minor>, amount: Option<Minor>) {
        if let (Some(part), Some(amount)) = (part, amount)
            && part > amount
        {
            self.wrong::<()>(name, RecordCode::Contradiction, "must not be more than amount");
        }
    }

    /// `None` when it is there and bad; `Some(None)` when it is not there.
    fn optional<T>(&mut self, name: Name, read: impl FnOnce(&mut Self, Name) -> Option<T>) -> Option<Option<T>> {
        match self.fields.get(name) {
            Value::Absent => Some(None),
            _ => read(self, name).map(Some),
        }
    }

    fn at(&mut self, now: UnixMillis) -> Option<UnixNanos> {
        let wanted = "RFC 3339 with Z, at most 9 fractional digits, of a date that exists";
        let at = self.form(Name::At, UnixNanos::parse, RecordCode::BadTime, wanted)?;
        let latest = now.0.saturating_add(AT_AHEAD_MS_MAX).saturating_mul(1_000_000);
        if at < AT_MIN {
            return self.wrong(Name::At, RecordCode::OutOfRange, "must be 2020-01-01T00:00:00Z or later");
        }
        if at.0 > latest {
            return self.wrong(Name::At, RecordCode::OutOfRange, "more than 5 s ahead of the server: check your clock");
        }
        Some(at)
    }

    fn amount(&mut self, name: Name) -> Option<Minor> {
        self.number(name, 0, Minor::MAX).and_then(Minor::new)
    }

    fn number(&mut self, name: Name, min: u64, max: u64) -> Option<u64> {
        match self.fields.get(name) {
            Value::Int(number) if (min..=max).contains(&number) => Some(number),
            Value::Int(_) => self.wrong(name, RecordCode::OutOfRange, &format!("must be from {min} to {max}")),
            Value::Text(_) => self.wrong(name, RecordCode::WrongType, "a text, where an integer belongs"),
            Value::Absent => self.wrong(name, RecordCode::Missing, "must be there"),
            Value::Bad => None,
        }
    }

    fn text(&mut self, name: Name) -> Option<&'a str> {
        match self.fields.get(name) {
            Value::Text(text) => Some(text),
            Value::Int(_) => self.wrong(name, RecordCode::WrongType, "a number, where a text belongs"),
            Value::Absent => self.wrong(name, RecordCode::Missing, "must be there"),
            Value::Bad => None,
        }
    }

    fn form<T>(
        &mut self,
        name: Name,
        read: impl FnOnce(&str) -> Option<T>,
        code: RecordCode,
        wanted: &str,
    ) -> Option<T> {
        let text = self.text(name)?;
        read(text).or_else(|| self.wrong(name, code, &format!("must be {wanted}")))
    }

    fn text_of(&mut self, name: Name, is: impl FnOnce(&str) -> bool, wanted: &str) -> Option<Cow<'a, str>> {
        let text = self.text(name)?;
        if is(text) {
            Some(Cow::Borrowed(text))
        } else {
            self.wrong(name, RecordCode::BadForm, &format!("must be {wanted}"))
        }
    }

    fn id(&mut self, name: Name) -> Option<RecordId> {
        self.form(name, |text| text.parse().ok(), RecordCode::BadUuid, "a lower-case hyphenated UUID, not nil, not max")
    }

    fn pseudonym(&mut self, name: Name) -> Option<Cow<'a, str>> {
        let text = self.text_of(name, is_pseudonym, "20 to 64 of A-Z a-z 0-9 _ -")?;
        if personal::is_personal(&text) {
            // The value itself is never repeated: answers are logged by operators.
            let instead = "could be a tax, phone, card or account number; send the first 26 characters, lower case, of \
                base32(HMAC-SHA-256(secret of the operator, internal id))";
            return self.wrong(name, RecordCode::PersonalData, instead);
        }
        Some(text)
    }

    fn word<T>(&mut self, name: Name, read: impl FnOnce(&str) -> Option<T>, words: &[&str]) -> Option<T> {
        let text = self.text(name)?;
        let bad = |judge: &mut Self| {
            judge.wrong(name, RecordCode::UnknownValue, &format!("must be one of {}", words.join(", ")))
        };
        read(text).or_else(|| bad(self))
    }

    fn wrong<T>(&mut self, name: Name, code: RecordCode, detail: &str) -> Option<T> {
        let pointer = format!("/{}", name.as_str());
        self.violations.push(Violation { pointer, code, detail: detail.to_owned() });
        None
    }
}

fn is_game(text: &str) -> bool {
    (3..=64).contains(&text.len()) && text.starts_with(|c: char| c.is_ascii_lowercase()) && all(text, GAME)
}

fn is_round(text: &str) -> bool {
    (1..=64).contains(&text.len()) && all(text, ROUND)
}

fn is_pseudonym(text: &str) -> bool {
    (20..=64).contains(&text.len()) && all(text, PSEUDONYM)
}

const GAME: u8 = 1;
const ROUND: u8 = 2;
const PSEUDONYM: u8 = 4;

/// For each byte in which forms it may stand.
static FORMS: [u8; 256] = forms();

const fn forms() -> [u8; 256] {
    let (mut forms, mut byte) = ([0; 256], 0_u8);
    // Only ASCII can stand anywhere.
    while byte < 128 {
        let game = byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        let pseudonym = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let round = pseudonym || byte == b':';
        let (_, rest) = forms.split_at_mut(byte as usize);
        if let [slot, ..] = rest {
            *slot = (game as u8 * GAME) | (round as u8 * ROUND) | (pseudonym as u8 * PSEUDONYM);
        }
        byte += 1;
    }
    forms
}

/// Whether every byte may stand in the form: one look-up a byte and no branch.
fn all(text: &str, form: u8) -> bool {
    text.bytes().fold(form, |left, byte| left & FORMS.get(usize::from(byte)).copied().unwrap_or(0)) != 0
}

fn build(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    crate::ids::unhex(text.as_bytes(), &mut bytes).then_some(bytes)
}
