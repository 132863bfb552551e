//! Which domains a change brings under a licence.

use std::collections::BTreeSet;

use contracts::registry::LicenceState;

use super::Operator;
use crate::domain::sites::domain_name::DomainName;

impl Operator {
    /// Domains of licences in the register that were in none of them before.
    pub fn domains_gained(&self, before: &Self) -> Vec<DomainName> {
        let had: BTreeSet<&DomainName> = before.domains_held().collect();
        self.domains_held().filter(|domain| !had.contains(domain)).cloned().collect()
    }

    fn domains_held(&self) -> impl Iterator<Item = &DomainName> {
        let licences = self.licences.iter();
        let held = licences.filter(|one| matches!(one.state, LicenceState::Active | LicenceState::Suspended));
        held.flat_map(|licence| &licence.places.domains)
    }
}
