//! The seven checks. Each looks at all requests, in order.

use std::collections::{BTreeMap, BTreeSet};

use contracts::StreamNo;
use contracts::record::Vertical;
use contracts::traffic::{Exchange, Forced, Kept, Sent};

use super::{
    AGE_MS_MAX, AHEAD_MS_MAX, CLOCK_BATCHES_MIN, Check, DELAY_MS_MIN, GAP_MS_MAX, GAPS_MAX, LAST_REQUESTS, Outcome,
    RATE_S, RECORDS_MIN, ROTATION_MS_MAX, Rules, is_taken,
};

/// Findings that a check names; more are counted.
const TOLD_MAX: usize = 5;
/// The types of records.
const TYPES: [&str; 4] = ["wager", "payout", "refund", "adjustment"];

pub(super) fn all(kept: &[Kept], rules: &Rules) -> Vec<Check> {
    vec![
        formats(kept, rules),
        gaps(kept),
        retries(kept),
        rewrites(kept),
        clock(kept),
        rate(kept, rules),
        rotation(kept),
    ]
}

/// `failed` where something is wrong, else `not-shown` where something is missing.
fn verdict(id: &'static str, wrong: &[String], missing: &[String], good: String, next: &'static str) -> Check {
    let (result, evidence) = match (wrong.is_empty(), missing.is_empty()) {
        (true, true) => (Outcome::Passed, good),
        (true, false) => (Outcome::NotShown, some(missing.iter())),
        (false, _) => (Outcome::Failed, some(wrong.iter().chain(missing))),
    };
    Check { id, result, evidence, next }
}

/// The first few, and how many more there are.
fn some<'a>(all: impl Iterator<Item = &'a String> + Clone) -> String {
    let more = all.clone().count().saturating_sub(TOLD_MAX);
    let told: Vec<&str> = all.take(TOLD_MAX).map(String::as_str).collect();
    match more {
        0 => told.join("; "),
        more => format!("{}; and {more} more", told.join("; ")),
    }
}

/// Requests whose batch was appended, each with its batch.
fn appended(kept: &[Kept]) -> impl Iterator<Item = (&Kept, &Sent)> {
    let new = |one: &&Kept| one.exchange.status == 201 || one.exchange.forced == Some(Forced::Lost);
    kept.iter()
        .filter(|one| is_taken(&one.exchange))
        .filter(new)
        .filter_map(|one| Some((one, one.exchange.batch.as_ref()?)))
}

/// New records of each request, each counted once, however often it was sent: when the request came, and how many.
fn new_records(kept: &[Kept]) -> Vec<(i64, u64)> {
    let mut ends: BTreeMap<StreamNo, u64> = BTreeMap::new();
    let count = |(one, batch): (&Kept, &Sent)| {
        let end = ends.entry(one.exchange.stream).or_default();
        let (first, last) = (batch.first_seq.get(), batch.first_seq.get() + u64::from(batch.count) - 1);
        let new = (last + 1).saturating_sub(first.max(*end + 1));
        *end = last.max(*end);
        (one.exchange.at.0, new)
    };
    appended(kept).map(count).collect()
}

/// Later requests on the same stream.
fn later(kept: &[Kept], at: usize, stream: StreamNo) -> impl Iterator<Item = &Kept> {
    kept.iter().skip(at + 1).filter(move |one| one.exchange.stream == stream)
}

fn formats(kept: &[Kept], rules: &Rules) -> Check {
    let records: u64 = new_records(kept).iter().map(|(_, count)| count).sum();
    let types: BTreeSet<&str> = appended(kept).flat_map(|(_, batch)| batch.types.keys().map(String::as_str)).collect();
    let verticals: BTreeSet<&str> =
        appended(kept).flat_map(|(_, batch)| batch.verticals.keys().map(String::as_str)).collect();
    let mut missing = Vec::new();
    if records < RECORDS_MIN {
        missing.push(format!("{records} records were taken, {RECORDS_MIN} are asked for"));
    }
    missing.extend(TYPES.iter().filter(|kind| !types.contains(**kind)).map(|kind| format!("no {kind} was sent")));
    for kind in &rules.licences {
        if !kind.verticals().iter().any(|vertical| verticals.contains(Vertical::as_str(*vertical))) {
            missing.push(format!("no wager of a vertical of the licence {} was sent", kind.as_str()));
        }
    }
    let last = kept.iter().rev().take(LAST_REQUESTS);
    let bad = last.filter(|one| matches!(one.exchange.status, 400 | 413 | 415 | 422));
    let wrong: Vec<String> = bad
        .map(|one| format!("request {} was refused: {}", one.number, one.exchange.code.as_deref().unwrap_or("?")))
        .collect();
    let good = format!("{records} records of {} types and {} verticals were taken", types.len(), verticals.len());
    verdict(
        "formats",
        &wrong,
        &missing,
        good,
        "send every type of record; look at what is refused with GET /v1/traffic",
    )
}

fn gaps(kept: &[Kept]) -> Check {
    let (mut seen, mut wrong) = (0, Vec::new());
    let mut in_a_row: BTreeMap<StreamNo, usize> = BTreeMap::new();
    for (at, Kept { number, exchange: one }) in kept.iter().enumerate() {
        if one.code.as_deref() != Some("gap") {
            in_a_row.remove(&one.stream);
            continue;
        }
        seen += 1;
        let row = in_a_row.entry(one.stream).or_default();
        *row += 1;
        if *row == GAPS_MAX + 1 {
            wrong.push(format!("stream {} met more than {GAPS_MAX} gaps in a row, up to request {number}", one.stream));
        }
        let expected = one.expected_seq.map_or(0, |seq| seq.get());
        let answered = one.at.0 + i64::from(one.took_ms);
        let goes_on = |next: &Kept| {
            let batch = next.exchange.batch.as_ref();
            let holds = |batch: &Sent| {
                (batch.first_seq.get()..batch.first_seq.get() + u64::from(batch.count)).contains(&expected)
            };
            let fits = batch.is_some_and(holds);
            fits && is_taken(&next.exchange) && next.exchange.at.0 <= answered + GAP_MS_MAX
        };
        if !later(kept, at, one.stream).any(goes_on) {
            wrong.push(format!("after the gap of request {number} stream {} did not go on at {expected}", one.stream));
        }
    }
    let missing = if seen == 0 { vec!["no gap was met".to_owned()] } else { Vec::new() };
    let good = format!("{seen} gaps, each followed by the seq that was expected");
    verdict("gaps", &wrong, &missing, good, "on 409 gap go on at expected_seq; DSOM-Test-Answer: gap asks for one")
}

/// Whether a request sends the same bytes again.
fn is_again(one: &Exchange, other: &Exchange) -> bool {
    match (&one.batch, &other.batch) {
        (Some(one), Some(other)) => one.first_seq == other.first_seq && one.root == other.root,
        _ => false,
    }
}

fn retries(kept: &[Kept]) -> Check {
    let (mut wrong, mut missing) = (Vec::new(), Vec::new());
    let (mut tries, mut forced, mut delayed) = (0, BTreeSet::new(), 0);
    for (at, Kept { number, exchange: one }) in kept.iter().enumerate() {
        if one.delayed_ms >= DELAY_MS_MIN && is_taken(one) {
            let goes_on = later(kept, at, one.stream).any(|next| is_taken(&next.exchange));
            match goes_on {
                true => delayed += 1,
                false => wrong.push(format!("after the late answer of request {number} stream {} ended", one.stream)),
            }
        }
        if one.status != 503 || one.batch.is_none() {
            continue;
        }
        tries += 1;
        forced.extend(one.forced.map(|forced| forced as u8));
        let answered = one.at.0 + i64::from(one.took_ms);
        let wait_ms = i64::from(one.retry_after_s.unwrap_or(0)) * 1_000;
        let again = later(kept, at, one.stream).find(|next| is_again(one, &next.exchange));
        match again {
            None => wrong.push(format!("the bytes of request {number}, answered 503, did not come again")),
            // Clocks of the two ends run apart by less than this.
            Some(next) if next.exchange.at.0 + 100 < answered + wait_ms => {
                let early = answered + wait_ms - next.exchange.at.0;
                wrong.push(format!("request {} came {early} ms before Retry-After of {number} was over", next.number));
            }
            Some(_) => {}
        }
        let done = later(kept, at, one.stream).any(|next| is_again(one, &next.exchange) && is_taken(&next.exchange));
        if again.is_some() && !done {
            wrong.push(format!("the bytes of request {number}, answered 503, were never taken"));
        }
    }
    for kind in [Forced::Unavailable, Forced::Lost] {
        if !forced.contains(&(kind as u8)) {
            missing.push(format!("no answer was asked to be {}", kind.as_str()));
        }
    }
    if delayed == 0 {
        missing.push(format!("no answer was asked to be {DELAY_MS_MIN} ms late or more"));
    }
    let good =
        format!("{tries} batches answered 503 came again with the same bytes and were taken, {delayed} late answers");
    let next =
        "repeat the same bytes after Retry-After; DSOM-Test-Answer: unavailable, lost and DSOM-Test-Delay ask for it";
    verdict("retries", &wrong, &missing, good, next)
}

fn rewrites(kept: &[Kept]) -> Check {
    let (mut seen, mut wrong) = (0, Vec::new());
    for (at, Kept { number, exchange: one }) in kept.iter().enumerate() {
        if one.code.as_deref() != Some("rewrite-attempt") {
            continue;
        }
        seen += 1;
        if later(kept, at, one.stream).any(|next| is_again(one, &next.exchange)) {
            wrong.push(format!("the changed bytes of request {number} were sent again"));
        }
        if !later(kept, at, one.stream).any(|next| is_taken(&next.exchange)) {
            wrong.push(format!("after request {number} stream {} did not go on", one.stream));
        }
    }
    let missing = if seen == 0 { vec!["no changed record was sent on purpose".to_owned()] } else { Vec::new() };
    let good = format!("{seen} changed records were refused and not sent again");
    let next =
        "send one accepted record with another amount; on 409 rewrite-attempt stop sending it, tell a person, go on";
    verdict("rewrite-refusal", &wrong, &missing, good, next)
}

fn clock(kept: &[Kept]) -> Check {
    let first_try = |one: &(&Kept, &Sent)| one.0.exchange.forced.is_none() && one.0.exchange.status == 201;
    let batches: Vec<_> = appended(kept).filter(first_try).collect();
    let age = |(one, batch): &(&Kept, &Sent)| one.exchange.at.0 - batch.latest.0;
    let ahead = batches.iter().filter(|one| -age(one) > AHEAD_MS_MAX);
    let mut wrong: Vec<String> = ahead
        .map(|one| format!("a record of request {} is {} ms ahead of its arrival", one.0.number, -age(one)))
        .collect();
    let mut ages: Vec<i64> = batches.iter().map(age).collect();
    ages.sort_unstable();
    let median = ages.get(ages.len() / 2).copied().unwrap_or_default();
    if median > AGE_MS_MAX {
        wrong.push(format!("half of the batches come later than {median} ms after their last record"));
    }
    let enough = batches.len() >= CLOCK_BATCHES_MIN;
    let missing =
        if enough { Vec::new() } else { vec![format!("{} batches, {CLOCK_BATCHES_MIN} are asked for", batches.len())] };
    let good = format!("{} batches, {median} ms after their last record in the middle, none ahead", batches.len());
    verdict("clock", &wrong, &missing, good, "set the clock by NTP; send records within a minute of what they tell")
}

fn rate(kept: &[Kept], rules: &Rules) -> Check {
    let (window_ms, half_ms) = (RATE_S * 1_000, RATE_S * 500);
    let mut taken = new_records(kept);
    taken.sort_unstable();
    // How many records came before each of these times.
    let mut sums = vec![0];
    for (_, count) in &taken {
        sums.push(sums.last().copied().unwrap_or(0) + count);
    }
    let until = |at: i64| sums.get(taken.partition_point(|(time, _)| *time < at)).copied().unwrap_or(0);
    let is_refused = |one: &Exchange| one.status == 429 || one.status == 503 && one.forced.is_none();
    let refused: BTreeSet<i64> =
        kept.iter().filter(|one| is_refused(&one.exchange)).map(|one| one.exchange.at.0).collect();
    let wanted = u64::from(rules.rate) * RATE_S.unsigned_abs();
    let mut best = 0;
    for (from, _) in &taken {
        let (first, second) = (until(from + half_ms) - until(*from), until(from + window_ms) - until(from + half_ms));
        // Held, not reached once: each half of the time carries at least a third of the records.
        let held = first.min(second) * 3 >= first + second;
        if held && refused.range(*from..from + window_ms).next().is_none() {
            best = best.max(first + second);
        }
    }
    let per_s = best / RATE_S.unsigned_abs();
    let told = format!("{per_s} records/s were held for {RATE_S} s without a refusal");
    let missing = if best >= wanted { Vec::new() } else { vec![format!("{told}, {} are asked for", rules.rate)] };
    verdict("rate", &[], &missing, told, "send the load of a busy minute; on 429 wait for Retry-After")
}

fn rotation(kept: &[Kept]) -> Check {
    let taken = kept.iter().filter(|one| is_taken(&one.exchange));
    let by_key: Vec<(&str, i64)> =
        taken.filter_map(|one| Some((one.exchange.client_key.as_deref()?, one.exchange.at.0))).collect();
    let keys: BTreeSet<&str> = by_key.iter().map(|(key, _)| *key).collect();
    let changes = by_key.iter().zip(by_key.iter().skip(1)).filter(|(before, after)| before.0 != after.0);
    let shortest = changes.map(|(before, after)| after.1 - before.1).min();
    let missing = match shortest {
        None => vec!["only one key was used".to_owned()],
        Some(pause) if pause > ROTATION_MS_MAX => vec![format!("nothing came for {pause} ms where the key changed")],
        Some(_) => Vec::new(),
    };
    let good = format!("{} keys, gone over within {} ms", keys.len(), shortest.unwrap_or_default());
    verdict("rotation", &[], &missing, good, "register a second test key, ask for a token with it, go on sending")
}
