//! The names a record may have, the words some of them allow, and a found value before it is judged.

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

            pub(super) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// Reads a name from its key: a number is compared at once, a text byte by byte.
            #[allow(non_upper_case_globals)]
            pub(super) fn of_key(key: u64) -> Option<Self> {
                $(const $variant: u64 = name_key($text.as_bytes());)+
                match key {
                    $($variant => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

/// Most bytes of a name, so that it fits a number.
const NAME_BYTES_MAX: usize = 8;

/// The bytes of a name as a little-endian number, the first lowest. Names hold no zero byte, so there is one key a name.
const fn name_key(name: &[u8]) -> u64 {
    match name {
        [first, rest @ ..] => *first as u64 | name_key(rest) << 8,
        [] => 0,
    }
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
    pub(super) fn read(text: &str) -> Option<Self> {
        let plain = text.len() <= NAME_BYTES_MAX && !text.contains('\0');
        if plain { Self::of_key(name_key(text.as_bytes())) } else { None }
    }

    /// The names that records of this type can't have, a bit each.
    fn foreign_to(kind: Kind) -> u32 {
        const fn foreign(kind: Kind) -> u32 {
            let (mut bits, mut left) = (0, Name::ALL);
            while let [name, rest @ ..] = left {
                if !name.belongs_to(kind) {
                    bits |= 1 << *name as u32;
                }
                left = rest;
            }
            bits
        }
        match kind {
            Kind::Wager => const { foreign(Kind::Wager) },
            Kind::Payout => const { foreign(Kind::Payout) },
            Kind::Refund => const { foreign(Kind::Refund) },
            Kind::Adjustment => const { foreign(Kind::Adjustment) },
        }
    }

    /// Whether records of this type can have the name.
    pub(super) const fn belongs_to(self, kind: Kind) -> bool {
        match self {
            Self::Seq | Self::Id | Self::Type | Self::At | Self::Amount | Self::Currency => true,
            Self::Channel | Self::Player | Self::Session | Self::Corrects => true,
            Self::Vertical | Self::Game | Self::Build | Self::Round | Self::Cash => matches!(kind, Kind::Wager),
            Self::Bonus | Self::Jackpot | Self::Odds | Self::Outcome => matches!(kind, Kind::Wager),
            Self::Wager => matches!(kind, Kind::Payout | Kind::Refund),
            Self::Kind => matches!(kind, Kind::Payout | Kind::Adjustment),
            Self::Withheld => matches!(kind, Kind::Payout),
            Self::Reason => matches!(kind, Kind::Refund),
            Self::Method | Self::Status | Self::Balance => matches!(kind, Kind::Adjustment),
        }
    }
}

/// What stands behind a name. Plain to copy: nothing on the usual path is ever dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// Nothing: the name is not there.
    Absent,
    /// Something that was found wrong already.
    Bad,
    /// A JSON integer that fits.
    Int(u64),
    /// A JSON string, its escapes resolved.
    Text(&'a str),
}

/// The values of a record by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    values: [Value<'a>; NAMES],
    /// A bit for each name that is there.
    there: u32,
}

impl<'a> Fields<'a> {
    pub(super) fn new() -> Self {
        Self { values: [Value::Absent; NAMES], there: 0 }
    }

    pub(super) fn get(&self, name: Name) -> Value<'a> {
        self.values.get(name as usize).copied().unwrap_or(Value::Absent)
    }

    /// Sets a value; false when the name had one already.
    pub(super) fn set(&mut self, name: Name, value: Value<'a>) -> bool {
        let Some(slot) = self.values.get_mut(name as usize) else { return false };
        *slot = value;
        let bit = 1 << name as u32;
        let fresh = self.there & bit == 0;
        self.there |= bit;
        fresh
    }

    /// The names that are there and that records of this type can't have.
    pub(super) fn foreign(&self, kind: Kind) -> impl Iterator<Item = Name> {
        let bits = self.there & Name::foreign_to(kind);
        let names = if bits == 0 { &[] } else { Name::ALL };
        names.iter().copied().filter(move |name| bits & (1 << *name as u32) != 0)
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
            assert_eq!(Name::read(name.as_str()), Some(*name));
        }
        for none in ["", "Seq", "seq\0", "sequence", "currencyy", "s"] {
            assert_eq!(Name::read(none), None, "{none:?}");
        }
    }
}
