//! Whose domains are licensed: told by the operators' histories, so that the list never blocks one of them.

use std::collections::BTreeMap;

use contracts::OperatorId;

use super::domain_name::DomainName;

/// The licensed domains, each with its subdomains.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Licensed {
    domains: BTreeMap<DomainName, OperatorId>,
}

impl Licensed {
    /// Replaces the domains of an operator. A domain that another has is the newer one's.
    pub fn set_licensed(&mut self, operator: OperatorId, domains: impl IntoIterator<Item = DomainName>) {
        self.domains.retain(|_, holder| *holder != operator);
        self.domains.extend(domains.into_iter().map(|domain| (domain, operator)));
    }

    /// Whose licensed domain it is, by itself alone.
    pub fn holder(&self, domain: &DomainName) -> Option<OperatorId> {
        self.domains.get(domain).copied()
    }

    /// A licensed domain that a block of `domain` would touch: above it, the same, or below it.
    pub fn touched(&self, domain: &DomainName) -> Option<(&DomainName, OperatorId)> {
        let above = std::iter::once(domain.clone()).chain(domain.parents());
        let above = above.filter_map(|name| self.domains.get_key_value(&name)).next();
        // In DNS order the names below one follow it directly.
        let below = || self.domains.range(domain.clone()..).next().filter(|(name, _)| name.is_within(domain));
        above.or_else(below).map(|(name, operator)| (name, *operator))
    }

    /// All of them, in DNS order.
    pub fn all(&self) -> impl Iterator<Item = (&DomainName, OperatorId)> {
        self.domains.iter().map(|(domain, operator)| (domain, *operator))
    }
}
