//! What is kept beside a batch and never in its bytes: flags of its records, and its signature.

use contracts::Hash;
use contracts::frame::{Remark, Wider};

use super::Flags;

/// See the file's head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Beside {
    /// Which records are flagged.
    pub flags: Flags,
    /// The signature over all its records, as it is kept.
    pub signature: Option<String>,
}

impl Beside {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.flags.is_empty() && self.signature.is_none()
    }

    /// As remarks on the batch with this index in a frame, from which the first `skip` records are left out because they were
    /// accepted before; `root` is over all of them.
    pub fn remarks(&self, index: u16, skip: u32, root: Hash) -> Vec<Remark> {
        let wider = (skip > 0).then_some(Wider { before: skip, root });
        let signed = self.signature.clone().map(|text| Remark::Signed { batch: index, wider, text });
        self.flags.behind(skip).remarks(index).chain(signed).collect()
    }

    /// Bytes it holds in memory.
    pub fn memory_bytes(&self) -> usize {
        self.flags.memory_bytes() + self.signature.as_ref().map_or(0, String::len)
    }
}
