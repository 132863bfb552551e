//! Public suffixes (publicsuffix.org): names under which others have theirs, `com.ua` as well as `blogspot.com`. The list is compiled in, so
//! it is as old as the program.

use psl::Type;

use super::domain_name::DomainName;

/// Whose word it is that others have their domains under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicSuffix {
    /// A registry's of top-level domains.
    Registry,
    /// Its owner's alone. Anybody can have a domain of theirs put into the list.
    Private,
}

impl DomainName {
    /// Whether it is a public suffix itself.
    pub fn public_suffix(&self) -> Option<PublicSuffix> {
        let suffix = psl::suffix(self.as_str().as_bytes())?;
        if suffix.as_bytes() != self.as_str().as_bytes() {
            return None;
        }
        suffix.typ().map(|section| match section {
            Type::Icann => PublicSuffix::Registry,
            Type::Private => PublicSuffix::Private,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_are_told_from_what_is_under_them() {
        // From the list itself, https://publicsuffix.org/list/public_suffix_list.dat; xn--55qx5d.cn is written there as 公司.cn.
        for (name, expected) in [
            ("com.ua", Some(PublicSuffix::Registry)),
            ("kyiv.ua", Some(PublicSuffix::Registry)),
            ("com.pl", Some(PublicSuffix::Registry)),
            ("co.uk", Some(PublicSuffix::Registry)),
            ("公司.cn", Some(PublicSuffix::Registry)),
            // By the rule *.ck, and its exception !www.ck.
            ("any.ck", Some(PublicSuffix::Registry)),
            ("www.ck", None),
            ("blogspot.com", Some(PublicSuffix::Private)),
            ("github.io", Some(PublicSuffix::Private)),
            ("casino.com.ua", None),
            ("casino.blogspot.com", None),
            ("example.ua", None),
            ("казино.укр", None),
            ("example.nosuchtld", None),
        ] {
            let name: DomainName = name.parse().expect("a name");
            assert_eq!(name.public_suffix(), expected, "{name}");
        }
    }
}
