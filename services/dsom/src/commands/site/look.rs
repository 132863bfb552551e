//! What is read of the list: how a subject stands, what there is, what waits, what was decided.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use uuid::Uuid;

use super::{PROPOSALS, subjects};
use crate::Failure;
use crate::commands::desk::{list, undamaged, who, word};
use crate::register::{Clerk, Route};

/// How a domain or an account stands, or stood at a moment.
pub(super) async fn show(anybody: &Clerk, subject: &str, as_of: Option<String>) -> Result<(), Failure> {
    let subject = subject.trim();
    if let Some(why) = subjects::wrong(subject) {
        return Err(Failure::usage(format!("{subject} {why}")));
    }
    let route = match subject.split_once('/') {
        Some((platform, handle)) => Route::to("/v1/accounts").name(platform)?.name(handle)?,
        None => Route::to("/v1/sites").name(subject)?,
    };
    let found = anybody.get(&route.ask_if("as_of", as_of)).await?.body;
    let by = match word(&found, "by") {
        by if by.is_empty() || by == word(&found, "site") => String::new(),
        by => format!(", by {by}"),
    };
    say!("{}: {}{by}", name(&found), word(&found, "standing"));
    say!("{found:#}");
    Ok(())
}

/// Everything that holds a part, and how it stands or stood at a moment.
pub(super) async fn search(anybody: &Clerk, part: Option<String>, as_of: Option<String>) -> Result<(), Failure> {
    let route = Route::to("/v1/sites").ask("limit", 1_000).ask_if("q", part).ask_if("as_of", as_of);
    anybody
        .pages(route, |page| {
            for entry in list(page, "entries") {
                let from = entry.get("entry").map(|entry| word(entry, "blocked_from")).unwrap_or_default();
                say!("{:<9} {from:<10} {}", word(entry, "standing"), name(entry));
            }
        })
        .await
}

/// What waits for another clerk, or waited at a moment.
pub(super) async fn proposals(clerk: &Clerk, as_of: Option<String>) -> Result<(), Failure> {
    let route = Route::to(PROPOSALS).ask("open", true).ask("limit", 200).ask_if("as_of", as_of);
    clerk
        .pages(route, |page| {
            list(page, "proposals").iter().for_each(head);
        })
        .await
}

/// A proposal with all it holds, for who is to confirm it.
pub(super) async fn proposal(clerk: &Clerk, id: Uuid, as_of: Option<String>) -> Result<(), Failure> {
    let shown = clerk.get(&Route::to(PROPOSALS).id(id).ask_if("as_of", as_of)).await?.body;
    let part = |of: &Value, name: &str| of.get(name).cloned().unwrap_or_default();
    head(&shown);
    let ground = part(&shown, "ground");
    say!(
        "law: {}\ndocument: {}, SHA-256 {}",
        word(&ground, "law"),
        word(&ground, "document"),
        word(&ground, "document_hash")
    );
    let measure = part(&shown, "measure");
    for block in list(&measure, "blocks") {
        let evidence = part(block, "evidence");
        let (text, reference) = (word(&evidence, "text"), word(&evidence, "reference"));
        say!("block {} from {}: {text} ({reference})", name(block), word(block, "blocked_from"));
    }
    for lift in list(&measure, "lifts") {
        say!("lift {}: {}", name(lift), word(lift, "reason"));
    }
    Ok(())
}

fn head(one: &Value) {
    let count = |name: &str| one.get(name).and_then(Value::as_u64).unwrap_or_default();
    let (id, blocks, lifts) = (word(one, "id"), count("blocks"), count("lifts"));
    let over = match word(one, "outcome") {
        "" | "open" => String::new(),
        outcome => format!(", {outcome}"),
    };
    say!("{id}  {blocks} to block, {lifts} to lift, proposed by {}, until {}{over}", who(one), word(one, "expires"));
}

/// Who decided what, and when.
pub(super) async fn history(clerk: &Clerk, as_of: Option<String>) -> Result<(), Failure> {
    let route = Route::to("/v1/sites/history").ask("limit", 200).ask_if("as_of", as_of);
    let mut whole = Ok(());
    clerk
        .pages(route, |page| {
            for change in list(page, "changes") {
                let version = change.get("version").and_then(Value::as_u64).unwrap_or_default();
                let role = change.get("by").map(|by| word(by, "role")).unwrap_or_default();
                let (at, kind) = (word(change, "at"), word(change, "type"));
                say!("{version:>4} {at} {} ({role}) {kind}{}", who(change), about(change));
            }
            whole = undamaged(page, "the history of the list");
        })
        .await?;
    whole
}

/// The proposal that a change is about, from the bytes that were hashed.
fn about(change: &Value) -> String {
    let bytes = STANDARD.decode(word(change, "change")).unwrap_or_default();
    let event: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let id = event.get("fact").map(|fact| word(fact, "proposal")).unwrap_or_default();
    if id.is_empty() { String::new() } else { format!(" {id}") }
}

/// A subject as people read it; a domain that is written otherwise on the wire with that, too.
fn name(found: &Value) -> String {
    if let Some(account) = found.get("account") {
        return format!("{}/{}", word(account, "platform"), word(account, "handle"));
    }
    match (word(found, "unicode"), word(found, "site")) {
        ("", site) => site.to_owned(),
        (unicode, site) => format!("{unicode} ({site})"),
    }
}
