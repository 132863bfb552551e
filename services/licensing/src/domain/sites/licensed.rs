//! Whose domains are licensed: told by the operators' histories, so that the list never blocks one of them.

use std::collections::{BTreeMap, BTreeSet};

use contracts::OperatorId;

use super::domain_name::DomainName;

/// The licensed domains, each with its subdomains and with all who hold it. Two operators may: a brand is sold, or shared, and the licences
/// overlap. A domain is licensed until the last of them lets go of it; whoever lists another's domain does not take it away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Licensed {
    domains: BTreeMap<DomainName, BTreeSet<OperatorId>>,
}

impl Licensed {
    /// Replaces the domains of an operator; what others hold stays theirs.
    pub fn set_licensed(&mut self, operator: OperatorId, domains: impl IntoIterator<Item = DomainName>) {
        self.domains.retain(|_, holders| {
            holders.remove(&operator);
            !holders.is_empty()
        });
        for domain in domains {
            self.domains.entry(domain).or_default().insert(operator);
        }
    }

    /// Whose licensed domain it is, by itself alone; of several the first by id, so that all processes name the same.
    pub fn holder(&self, domain: &DomainName) -> Option<OperatorId> {
        self.domains.get(domain).and_then(|holders| holders.first()).copied()
    }

    /// A licensed domain that a block of `domain` would touch: above it, the same, or below it.
    pub fn touched(&self, domain: &DomainName) -> Option<(&DomainName, OperatorId)> {
        let above = std::iter::once(domain.clone()).chain(domain.parents());
        let above = above.filter_map(|name| self.domains.get_key_value(&name)).next();
        // In DNS order the names below one follow it directly.
        let below = || self.domains.range(domain.clone()..).next().filter(|(name, _)| name.is_within(domain));
        let (name, holders) = above.or_else(below)?;
        Some((name, *holders.first()?))
    }

    /// All of them, in DNS order.
    pub fn all(&self) -> impl Iterator<Item = (&DomainName, OperatorId)> {
        self.domains.iter().filter_map(|(domain, holders)| Some((domain, *holders.first()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_of_two_is_licensed_until_the_last_lets_go_of_it() {
        let [one, other] = [1, 2].map(|n| OperatorId::new(uuid::Uuid::from_u128(n)).expect("not nil"));
        let name = |text: &str| text.parse::<DomainName>().expect("a name");
        let mut licensed = Licensed::default();
        licensed.set_licensed(one, [name("a.ua"), name("b.ua")]);
        licensed.set_licensed(other, [name("a.ua")]);
        assert_eq!(licensed.holder(&name("a.ua")), Some(one), "it was not taken away");
        licensed.set_licensed(other, []);
        assert_eq!(licensed.touched(&name("www.a.ua")), Some((&name("a.ua"), one)), "the other's licence has ended");
        licensed.set_licensed(other, [name("a.ua")]);
        licensed.set_licensed(one, [name("b.ua")]);
        assert_eq!(licensed.all().collect::<Vec<_>>(), [(&name("a.ua"), other), (&name("b.ua"), one)]);
        licensed.set_licensed(other, []);
        assert_eq!(licensed.holder(&name("a.ua")), None);
    }
}
