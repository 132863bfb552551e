//! The names a record may have, the words some of them allow, and a found value before it is judged.

use std::borrow::Cow;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
        }

        impl $name {
            /// Every word, as on the wire.
            pub const WORDS: &'static [&'static str] = &[$($text,)+];

            /// Every variant, in the order of [`Self::WORDS`].
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Reads a word; `None` for one that is not in the list.
            pub fn read(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word as on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

words! {
    /// The four types of record.
    Kind {
        /// A stake placed.
        Wager = "wager",
        /// A wager's return.
        Payout = "payout",
        /// A stake given back.
        Refund = "refund",
        /// Another movement of a player's balance.
        Adjustment = "adjustment",
    }
}

words! {
    /// Where the player acted.
    Channel {
        /// A browser.
        Web = "web",
        /// A mobile application.
        App = "app",
        /// A shop.
        Retail = "retail",
        /// A self-service terminal.
        Terminal = "terminal",
        /// A call.
        Phone = "phone",
    }
}

words! {
    /// The kind of game.
    Vertical {
        /// Slots.
        Slots = "slots",
        /// Table games against a random number generator.
        Table = "table",
        /// Live dealer games.
        Live = "live",
        /// Poker.
        Poker = "poker",
        /// Betting.
        Betting = "betting",
        /// Virtual sports.
        Virtual = "virtual",
        /// Lottery.
        Lottery = "lottery",
        /// Bingo.
        Bingo = "bingo",
        /// Gaming machines.
        Machine = "machine",
    }
}

words! {
    /// Whether a wager is settled at once.
    Outcome {
        /// Not yet.
        Open = "open",
        /// An instant game, settled with nothing won.
        Lost = "lost",
    }
}

words! {
    /// Why a payout was made.
    PayoutKind {
        /// Won.
        Win = "win",
        /// An open wager settled with nothing won.
        Loss = "loss",
        /// Sold back before the end.
        CashOut = "cash_out",
        /// A jackpot.
        Jackpot = "jackpot",
        /// Settled anew.
        Resettlement = "resettlement",
    }
}

words! {
    /// Why a stake was given back.
    RefundReason {
        /// The event did not take place.
        VoidEvent = "void_event",
        /// The operator erred.
        OperatorError = "operator_error",
        /// The player withdrew.
        PlayerCancel = "player_cancel",
        /// A malfunction.
        Malfunction = "malfunction",
        /// The round was not finished.
        IncompleteRound = "incomplete_round",
        /// The regulator ordered it.
        RegulatorOrder = "regulator_order",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// What an adjustment moved.
    AdjustmentKind {
        /// Money in.
        Deposit = "deposit",
        /// Money out.
        Withdrawal = "withdrawal",
        /// Bonus given.
        BonusGrant = "bonus_grant",
        /// Bonus turned into money.
        BonusRelease = "bonus_release",
        /// Bonus lapsed.
        BonusExpiry = "bonus_expiry",
        /// A fee.
        Fee = "fee",
        /// A correction.
        Correction = "correction",
        /// A dormant account.
        Dormant = "dormant",
    }
}

words! {
    /// By which means money moved.
    Method {
        /// A card.
        Card = "card",
        /// A bank account.
        Bank = "bank",
        /// An electronic wallet.
        Ewallet = "ewallet",
        /// Cash.
        Cash = "cash",
        /// A voucher.
        Voucher = "voucher",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// Whether an adjustment came to pass.
    AdjustmentStatus {
        /// It did.
        Done = "done",
        /// It was refused.
        Rejected = "rejected",
        /// It was undone.
        Reversed = "reversed",
    }
}

macro_rules! names {
    ($($variant:ident = $text:literal,)+) => {
        /// Every name a record can have.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Name {
            $($variant,)+
        }

        impl Name {
            pub(super) const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub(super) fn read(text: &[u8]) -> Option<Self> {
                // By length first: most names differ there already.
                match text {
                    $(text if text == $text.as_bytes() => Some(Self::$variant),)+
                    _ => None,
                }
            }

            pub(super) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

names! {
    Seq = "seq",
    Id = "id",
    Type = "type",
    At = "at",
    Amount = "amount",
    Currency = "currency",
    Channel = "channel",
    Player = "player",
    Session = "session",
    Corrects = "corrects",
    Vertical = "vertical",
    Game = "game",
    Build = "build",
    Round = "round",
    Cash = "cash",
    Bonus = "bonus",
    Jackpot = "jackpot",
    Odds = "odds",
    Outcome = "outcome",
    Wager = "wager",
    Kind = "kind",
    Withheld = "withheld",
    Reason = "reason",
    Method = "method",
    Status = "status",
    Balance = "balance",
}

const NAMES: usize = 26;

impl Name {
    /// Whether records of this type can have the name.
    pub(super) fn belongs_to(self, kind: Kind) -> bool {
        match self {
            Self::Seq | Self::Id | Self::Type | Self::At | Self::Amount | Self::Currency => true,
            Self::Channel | Self::Player | Self::Session | Self::Corrects => true,
            Self::Vertical | Self::Game | Self::Build | Self::Round | Self::Cash => kind == Kind::Wager,
            Self::Bonus | Self::Jackpot | Self::Odds | Self::Outcome => kind == Kind::Wager,
            Self::Wager => matches!(kind, Kind::Payout | Kind::Refund),
            Self::Kind => matches!(kind, Kind::Payout | Kind::Adjustment),
            Self::Withheld => kind == Kind::Payout,
            Self::Reason => kind == Kind::Refund,
            Self::Method | Self::Status | Self::Balance => kind == Kind::Adjustment,
        }
    }
}

/// What stands behind a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Nothing: the name is not there.
    #[default]
    Absent,
    /// Something that was found wrong already.
    Bad,
    /// A JSON integer that fits.
    Int(u64),
    /// A JSON string.
    Text(Cow<'a, str>),
}

/// The values of a record by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields<'a>([Value<'a>; NAMES]);

impl<'a> Fields<'a> {
    pub(super) fn new() -> Self {
        Self([const { Value::Absent }; NAMES])
    }

    pub(super) fn get(&self, name: Name) -> &Value<'a> {
        self.0.get(name as usize).unwrap_or(&Value::Absent)
    }

    /// Sets a value; false when the name had one already.
    pub(super) fn set(&mut self, name: Name, value: Value<'a>) -> bool {
        let Some(slot) = self.0.get_mut(name as usize) else { return false };
        let fresh = *slot == Value::Absent;
        *slot = value;
        fresh
    }

    pub(super) fn take(&mut self, name: Name) -> Value<'a> {
        self.0.get_mut(name as usize).map(std::mem::take).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_slot() {
        assert_eq!(Name::ALL.len(), NAMES);
        for (slot, name) in Name::ALL.iter().enumerate() {
            assert_eq!(*name as usize, slot);
            assert_eq!(Name::read(name.as_str().as_bytes()), Some(*name));
        }
    }
}
