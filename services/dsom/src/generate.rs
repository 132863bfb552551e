//! Realistic records: the mix, the lengths and the randomness of real ones, cheap enough to load a mesh on the same machine.
//!
//! A generator is one stream of one operator. Its wagers are settled by its payouts and refunds; every identifier is random, so
//! that records pack no better than real ones do.

mod styles;
mod texts;

use rand::rngs::SmallRng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};

use self::styles::Style;
use self::texts::{Minute, push_hex, push_number, push_uuid, uuid};

/// Players of one stream.
const PLAYERS: usize = 4_096;
/// Wagers that wait for their result.
const OPEN_MAX: usize = 512;

/// Share of each kind of record in a thousand; what is left are wagers.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// Payouts in a thousand records.
    pub payouts: u32,
    /// Refunds in a thousand records.
    pub refunds: u32,
    /// Adjustments in a thousand records.
    pub adjustments: u32,
}

impl Default for Mix {
    /// The shares of the reference data set: 100,000 records of five operators.
    fn default() -> Self {
        Self { payouts: 281, refunds: 17, adjustments: 84 }
    }
}

/// Makes the records of one stream, one after another.
pub struct Generator {
    rng: SmallRng,
    mix: Mix,
    next_seq: u64,
    players: Vec<[u8; PSEUDONYM]>,
    open: Vec<Open>,
    minute: Minute,
    scratch: Vec<u8>,
}

const PSEUDONYM: usize = 23;

/// A wager that waits for its result.
#[derive(Clone, Copy)]
struct Open {
    id: [u8; 16],
    player: usize,
    stake: u64,
    channel: &'static str,
}

struct Game {
    vertical: &'static str,
    id: &'static str,
}

const GAMES: &[Game] = &[
    Game { vertical: "slots", id: "gamma.kobza-wild" },
    Game { vertical: "slots", id: "gamma.steppe-gold" },
    Game { vertical: "slots", id: "delta.dnipro-falls" },
    Game { vertical: "table", id: "delta.roulette-eu" },
    Game { vertical: "live", id: "epsilon.live-blackjack" },
];
const SPORTSBOOK: Game = Game { vertical: "betting", id: "zeta.sportsbook" };
const STAKES: &[u64] = &[100, 200, 500, 1_000, 2_500, 10_000];
const CHANNELS: &[&str] = &["app", "app", "app", "web", "web", "retail"];
const REASONS: &[&str] = &["malfunction", "malfunction", "player_cancel", "void_event"];
const MOVEMENTS: &[&str] = &["deposit", "deposit", "deposit", "withdrawal", "bonus_grant", "fee"];
const METHODS: &[&str] = &["card", "bank", "ewallet"];

impl Generator {
    /// A stream that goes on with `next_seq`. The same seed gives the same records, but for their times.
    pub fn new(seed: u64, mix: Mix, next_seq: u64) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let players = (0..PLAYERS).map(|_| pseudonym(&mut rng)).collect();
        let open = Vec::with_capacity(OPEN_MAX);
        Self { rng, mix, next_seq, players, open, minute: Minute::default(), scratch: Vec::with_capacity(512) }
    }

    /// Seq of the record that comes next.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Appends one record and a line end. `now_ms`: Unix milliseconds; the record happened up to two seconds before.
    pub fn push_line(&mut self, out: &mut Vec<u8>, now_ms: i64) {
        let start = out.len();
        let happened = now_ms - i64::from(self.rng.next_u32() >> 21);
        let roll = self.rng.next_u32() % 1_000;
        let refunds = self.mix.payouts + self.mix.refunds;
        if roll < refunds && !self.open.is_empty() {
            let at = self.rng.next_u32() as usize % self.open.len();
            let open = self.open.swap_remove(at);
            match roll < self.mix.payouts {
                true => self.payout(out, happened, open),
                false => self.refund(out, happened, open),
            }
        } else if roll >= refunds && roll < refunds + self.mix.adjustments {
            self.adjustment(out, happened);
        } else {
            self.wager(out, happened);
        }
        out.push(b'}');
        Style::any(&mut self.rng).apply(out, start, &mut self.scratch, &mut self.rng);
        out.push(b'\n');
        self.next_seq += 1;
    }

    /// What every record begins with.
    fn head(&mut self, out: &mut Vec<u8>, kind: &str, id: &[u8; 16], happened: i64, amount: u64, channel: &str) {
        out.extend_from_slice(b"{\"seq\":");
        push_number(out, self.next_seq);
        out.extend_from_slice(b",\"id\":\"");
        push_uuid(out, id);
        push_text(out, "\",\"type\":\"", kind);
        out.extend_from_slice(b"\",\"at\":\"");
        self.minute.push(out, happened, self.rng.next_u32());
        out.extend_from_slice(b"\",\"amount\":");
        push_number(out, amount);
        push_text(out, ",\"currency\":\"UAH\",\"channel\":\"", channel);
        out.push(b'"');
    }

    fn wager(&mut self, out: &mut Vec<u8>, happened: i64) {
        let dice = self.rng.next_u64();
        let betting = dice % 100 < 20;
        let stake = match betting {
            true => 1_000 + (dice >> 44),
            false => pick(STAKES, dice >> 8).copied().unwrap_or(100),
        };
        let stake = stake.max(1);
        let channel = pick(CHANNELS, dice >> 16).copied().unwrap_or("web");
        let game = if betting { &SPORTSBOOK } else { pick(GAMES, dice >> 24).unwrap_or(&SPORTSBOOK) };
        let player = (dice >> 32) as usize % PLAYERS;
        let id = uuid(&mut self.rng);
        self.head(out, "wager", &id, happened, stake, channel);
        push_text(out, ",\"vertical\":\"", game.vertical);
        push_text(out, "\",\"game\":\"", game.id);
        push_text(out, "\",\"round\":\"", if betting { "b-" } else { "r:" });
        push_hex(out, self.rng.next_u64(), 12);
        out.push(b'"');
        self.push_player(out, player);
        if dice >> 40 & 3 == 0 {
            out.extend_from_slice(b",\"session\":\"s-");
            push_hex(out, self.rng.next_u64(), 12);
            push_hex(out, self.rng.next_u64(), 12);
            out.push(b'"');
        }
        if betting {
            out.extend_from_slice(b",\"odds\":\"");
            push_number(out, 1 + (dice >> 50) % 12);
            out.push(b'.');
            push_number(out, 10 + (dice >> 54) % 90);
            out.push(b'"');
        } else if dice >> 42 & 15 == 0 && stake >= 100 {
            out.extend_from_slice(b",\"jackpot\":");
            push_number(out, stake / 100);
        }
        if dice >> 56 & 15 == 0 {
            out.extend_from_slice(b",\"cash\":");
            push_number(out, stake - stake / 4);
            out.extend_from_slice(b",\"bonus\":");
            push_number(out, stake / 4);
        }
        if !betting && dice >> 48 & 1 == 0 {
            out.extend_from_slice(b",\"outcome\":\"lost\"");
        } else {
            let open = Open { id, player, stake, channel };
            if self.open.len() == OPEN_MAX {
                let oldest = (dice >> 20) as usize % OPEN_MAX;
                self.open.swap_remove(oldest);
            }
            self.open.push(open);
        }
    }

    fn payout(&mut self, out: &mut Vec<u8>, happened: i64, open: Open) {
        let dice = self.rng.next_u64();
        let won = !dice.is_multiple_of(4);
        let amount = if won { open.stake * (1 + (dice >> 8) % 3) } else { 0 };
        let id = uuid(&mut self.rng);
        self.head(out, "payout", &id, happened, amount, open.channel);
        out.extend_from_slice(b",\"wager\":\"");
        push_uuid(out, &open.id);
        push_text(out, "\",\"kind\":\"", if won { "win" } else { "loss" });
        out.push(b'"');
        if dice >> 16 & 1 == 0 {
            self.push_player(out, open.player);
        }
    }

    fn refund(&mut self, out: &mut Vec<u8>, happened: i64, open: Open) {
        let reason = pick(REASONS, self.rng.next_u64()).copied().unwrap_or("other");
        let id = uuid(&mut self.rng);
        self.head(out, "refund", &id, happened, open.stake, open.channel);
        out.extend_from_slice(b",\"wager\":\"");
        push_uuid(out, &open.id);
        push_text(out, "\",\"reason\":\"", reason);
        out.push(b'"');
    }

    fn adjustment(&mut self, out: &mut Vec<u8>, happened: i64) {
        let dice = self.rng.next_u64();
        let kind = pick(MOVEMENTS, dice).copied().unwrap_or("fee");
        let id = uuid(&mut self.rng);
        self.head(out, "adjustment", &id, happened, 1_000 + (dice >> 44), "web");
        self.push_player(out, (dice >> 8) as usize % PLAYERS);
        push_text(out, ",\"kind\":\"", kind);
        push_text(out, "\",\"status\":\"", if dice >> 24 & 15 == 0 { "rejected" } else { "done" });
        out.push(b'"');
        if matches!(kind, "deposit" | "withdrawal") {
            push_text(out, ",\"method\":\"", pick(METHODS, dice >> 32).copied().unwrap_or("card"));
            out.extend_from_slice(b"\",\"balance\":");
            push_number(out, dice >> 41);
        }
    }

    fn push_player(&self, out: &mut Vec<u8>, player: usize) {
        if let Some(pseudonym) = self.players.get(player) {
            out.extend_from_slice(b",\"player\":\"");
            out.extend_from_slice(pseudonym);
            out.push(b'"');
        }
    }
}

fn push_text(out: &mut Vec<u8>, before: &str, text: &str) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn pick<T>(of: &[T], dice: u64) -> Option<&T> {
    of.get((dice % (of.len() as u64).max(1)) as usize)
}

/// `p` and 21 characters of URL-safe base64, ended by a letter no hexadecimal number has.
fn pseudonym(rng: &mut SmallRng) -> [u8; PSEUDONYM] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = [b'p'; PSEUDONYM];
    for character in text.iter_mut().skip(1) {
        *character = ALPHABET.get(rng.random_range(0..64_usize)).copied().unwrap_or(b'A');
    }
    text[PSEUDONYM - 1] = b'x';
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use contracts::batch::{Media, check};
    use contracts::record::{Body, parse};

    #[test]
    fn records_are_valid_and_shaped_like_the_reference_data() {
        let now = 1_792_864_829_498;
        let mut generator = Generator::new(7, Mix::default(), 1);
        let mut body = Vec::new();
        for _ in 0..10_000 {
            generator.push_line(&mut body, now);
        }
        let batch = check(&body, Media::Ndjson, contracts::UnixMillis(now)).expect("valid");
        assert_eq!((batch.first_seq.get(), batch.starts.len(), generator.next_seq()), (1, 10_000, 10_001));
        let mean = body.len() / 10_000;
        assert!((261..=267).contains(&mean), "the reference has 264 bytes a line, this {mean}");
        let mut counts = [0; 4];
        for line in body.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let kind = match parse(line, contracts::UnixMillis(now)).expect("valid").body {
                Body::Wager(_) => 0,
                Body::Payout(_) => 1,
                Body::Refund(_) => 2,
                Body::Adjustment(_) => 3,
            };
            counts[kind] += 1;
        }
        assert!((5_900..6_500).contains(&counts[0]) && (2_600..3_000).contains(&counts[1]), "{counts:?}");
    }
}
