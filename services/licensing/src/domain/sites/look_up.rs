//! How a domain or an account stands: by itself, or by the nearest domain above it that decides.

use contracts::UnixMillis;

use super::domain_name::DomainName;
use super::licensed::Licensed;
use super::list::BlockList;
use super::standing::Standing;
use super::subject::{SocialAccount, Subject};

/// What a look-up found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<'a> {
    /// The domain that decides: the one that was asked for, or one above it.
    pub by: DomainName,
    /// How it stands.
    pub standing: Standing<'a>,
}

/// How a domain stands, and by which domain. What is blocked or licensed decides before what is announced, and that
/// before what is lifted; of two that weigh the same the nearer one. `None` when nothing was ever decided.
pub fn look_up<'a>(list: &'a BlockList, licensed: &Licensed, domain: &DomainName) -> Option<Found<'a>> {
    look_up_at(list, licensed, domain, None)
}

/// The same at a moment, with the domains that were licensed then; `None`: now.
pub fn look_up_at<'a>(
    list: &'a BlockList,
    licensed: &Licensed,
    domain: &DomainName,
    moment: Option<UnixMillis>,
) -> Option<Found<'a>> {
    let path = std::iter::once(domain.clone()).chain(domain.parents());
    let found = path.map(|by| {
        let standing = list.standing_at(&Subject::Site(by.clone()), moment);
        let standing = match licensed.holder(&by) {
            // A domain that is both must not be; until it is put right the decision with its evidence counts.
            Some(operator) if !standing.is_blocked() => Standing::Licensed(operator),
            _ => standing,
        };
        Found { by, standing }
    });
    let best = found.reduce(|best, next| if weight(&next.standing) > weight(&best.standing) { next } else { best });
    best.filter(|found| found.standing != Standing::Unlisted)
}

/// How an account stood at a moment; `None`: now.
pub fn look_up_account<'a>(list: &'a BlockList, account: &SocialAccount, moment: Option<UnixMillis>) -> Standing<'a> {
    list.standing_at(&Subject::Account(account.clone()), moment)
}

fn weight(standing: &Standing<'_>) -> u8 {
    match standing {
        Standing::Blocked(_) | Standing::Licensed(_) => 3,
        Standing::Announced(_) => 2,
        Standing::Lifted(..) => 1,
        Standing::Unlisted => 0,
    }
}
