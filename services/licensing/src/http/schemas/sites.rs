//! The list of blocked sites as its feed tells it, and the words of its subjects.

use serde::Serialize;
use utoipa::ToSchema;

/// What is blocked; with `since` only what changed: take out `lifted_sites` and `lifted_accounts`, then add or replace the rest.
#[derive(Debug, Serialize, ToSchema)]
pub struct SitesFeed {
    /// The serial that was asked for; with `since` alone.
    #[schema(nullable = false)]
    since: Option<u32>,
    /// The serial of the list: one more with every change of what is in force, and 0 after 4294967295 (RFC 1982).
    serial: u32,
    /// When what is in force last changed (RFC 3339 UTC), or `never`.
    #[schema(example = "2026-11-23T06:00:00.000Z")]
    changed_at: String,
    /// Domains that are blocked no longer, as A-labels; with `since` alone.
    #[schema(nullable = false)]
    lifted_sites: Option<Vec<String>>,
    /// Accounts that are blocked no longer; with `since` alone.
    #[schema(nullable = false)]
    lifted_accounts: Option<Vec<SocialAccount>>,
    /// Blocked sites, in DNS order.
    sites: Vec<BlockedSite>,
    /// Blocked accounts.
    accounts: Vec<BlockedAccount>,
}

/// A blocked site.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockedSite {
    /// The domain with its subdomains, as A-labels.
    #[schema(example = "xn--80aodfsg.xn--j1amh")]
    domain: String,
    #[serde(flatten)]
    why: BlockedFor,
}

/// A blocked account.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockedAccount {
    #[serde(flatten)]
    account: SocialAccount,
    #[serde(flatten)]
    why: BlockedFor,
}

/// Since when something is blocked, and on what.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockedFor {
    /// The first day, in the regulator's time zone.
    #[schema(format = "date")]
    blocked_from: String,
    /// The rule of law.
    law: String,
    /// The number of the decision's document.
    document: String,
    /// Where the evidence is filed.
    evidence: String,
}

/// An account on a platform.
#[derive(Debug, Serialize, ToSchema)]
pub struct SocialAccount {
    platform: Platform,
    /// The handle there: lower-case, without the `@`.
    #[schema(example = "casino_ua")]
    handle: String,
}

/// Where a social account is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum Platform {
    Discord,
    Facebook,
    Instagram,
    Telegram,
    Threads,
    TikTok,
    Twitch,
    X,
    YouTube,
}

/// How a subject stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum StandingWord {
    /// Nothing is decided about it.
    Unlisted,
    /// It will be blocked.
    Announced,
    /// It is blocked.
    Blocked,
    /// It was blocked, or announced, and is no longer.
    Lifted,
    /// It is an operator's licensed domain.
    Licensed,
}

/// What became of a proposal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub enum Outcome {
    /// It may still be confirmed.
    Open,
    /// Nobody answered in time.
    Expired,
    /// It was decided.
    Confirmed,
    /// It was refused, or taken back.
    Declined,
}
