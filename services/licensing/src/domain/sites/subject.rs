//! What can be blocked: a site or a social account.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::domain_name::DomainName;

/// Longest handle, in characters.
pub const HANDLE_CHARS_MAX: usize = 64;

/// Where a social account is. Each of them treats handles as case-insensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the platforms' own")]
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

/// A text that names none of the platforms.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a platform of the list: discord, facebook, instagram, telegram, threads, tiktok, twitch, x, youtube")]
pub struct UnknownPlatform;

/// The name of an account on its platform: lower-case, without the `@`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Handle(Arc<str>);

/// Why a text is not a [`Handle`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadHandle {
    /// Nothing, or nothing but `@`.
    #[error("the handle is empty")]
    Empty,
    /// Too long.
    #[error("the handle has {chars} characters, at most {max} are allowed", max = HANDLE_CHARS_MAX)]
    TooLong {
        /// Its length.
        chars: usize,
    },
    /// Neither letter nor digit nor one of `._-`; a link, for example, or a letter in decomposed form.
    #[error("{found:?} is not part of a handle: give the handle alone, letters in composed form")]
    NotAlone {
        /// The first character that does not belong.
        found: char,
    },
}

/// An account on a platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SocialAccount {
    /// The platform.
    pub platform: Platform,
    /// The handle there.
    pub handle: Handle,
}

/// What an entry is about. Sites come before accounts, in DNS order: each is followed by its subdomains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A domain with its subdomains.
    Site(DomainName),
    /// A social account.
    Account(SocialAccount),
}

impl Platform {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Facebook => "facebook",
            Self::Instagram => "instagram",
            Self::Telegram => "telegram",
            Self::Threads => "threads",
            Self::TikTok => "tiktok",
            Self::Twitch => "twitch",
            Self::X => "x",
            Self::YouTube => "youtube",
        }
    }

    /// Every platform.
    pub const ALL: [Self; 9] = [
        Self::Discord,
        Self::Facebook,
        Self::Instagram,
        Self::Telegram,
        Self::Threads,
        Self::TikTok,
        Self::Twitch,
        Self::X,
        Self::YouTube,
    ];
}

impl FromStr for Platform {
    type Err = UnknownPlatform;
    fn from_str(text: &str) -> Result<Self, UnknownPlatform> {
        let known = Self::ALL.into_iter().find(|platform| platform.as_str().eq_ignore_ascii_case(text.trim()));
        known.ok_or(UnknownPlatform)
    }
}

impl Subject {
    /// The domain, if it is a site.
    pub fn site(&self) -> Option<&DomainName> {
        match self {
            Self::Site(domain) => Some(domain),
            Self::Account(_) => None,
        }
    }

    /// The account, if it is one.
    pub fn account(&self) -> Option<&SocialAccount> {
        match self {
            Self::Site(_) => None,
            Self::Account(account) => Some(account),
        }
    }
}

impl Handle {
    /// The handle, without the `@`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Handle {
    type Err = BadHandle;
    fn from_str(text: &str) -> Result<Self, BadHandle> {
        let text = text.trim();
        let text = text.strip_prefix('@').unwrap_or(text).to_lowercase();
        let chars = text.chars().count();
        if chars == 0 {
            return Err(BadHandle::Empty);
        }
        if chars > HANDLE_CHARS_MAX {
            return Err(BadHandle::TooLong { chars });
        }
        match text.chars().find(|c| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))) {
            Some(found) => Err(BadHandle::NotAlone { found }),
            None => Ok(Self(text.into())),
        }
    }
}

impl TryFrom<String> for Handle {
    type Error = BadHandle;
    fn try_from(text: String) -> Result<Self, BadHandle> {
        text.parse()
    }
}

impl Serialize for Handle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// `xn--80aodfsg.xn--j1amh`, `telegram/casino_ua`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(domain) => domain.fmt(f),
            Self::Account(SocialAccount { platform, handle }) => write!(f, "{}/{}", platform.as_str(), handle.as_str()),
        }
    }
}
