//! Which domains a change brings under a licence.

use std::collections::BTreeSet;

use contracts::UnixMillis;

use super::Operator;
use crate::domain::sites::domain_name::DomainName;

impl Operator {
    /// Domains of licences in the register that were in none of them before. What a licence held whose time was over when the change was
    /// made is gained anew: it may have been blocked since.
    pub fn domains_gained(&self, before: &Self) -> Vec<DomainName> {
        let had = before.domains_held(self.head.at);
        self.domains_held(self.head.at).difference(&had).cloned().collect()
    }

    fn domains_held(&self, at: UnixMillis) -> BTreeSet<DomainName> {
        let held = self.licensed_domains().into_iter().filter(|one| one.until > at);
        held.map(|one| one.domain).collect()
    }
}
