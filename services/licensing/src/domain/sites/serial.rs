//! The serial of the list: 32 bits that wrap, as the SOA of a zone carries them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A serial number (RFC 1982 with SERIAL_BITS = 32). It is not ordered: of two serials 2^31 apart neither is the later
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Serial(pub u32);

impl Serial {
    /// The serial after so many changes. After the largest comes 0 (RFC 1982 §3.1).
    pub fn after(self, changes: usize) -> Self {
        // A cut number of changes is the same modulo 2^32.
        Self(self.0.wrapping_add(changes as u32))
    }

    /// Changes from `earlier` to this one. `None` when `earlier` is not the earlier one (RFC 1982 §3.2), or not
    /// comparable.
    pub fn changes_since(self, earlier: Self) -> Option<u32> {
        let changes = self.0.wrapping_sub(earlier.0);
        (changes < 1 << 31).then_some(changes)
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_wrap_and_compare_as_rfc_1982_says() {
        assert_eq!(Serial(u32::MAX).after(1), Serial(0));
        assert_eq!(Serial(7).after((1 << 32) + 1), Serial(8));
        for (later, earlier, changes) in [
            (5, 5, Some(0)),
            (45, 44, Some(1)),
            (44, 45, None),
            (0, u32::MAX, Some(1)),
            (u32::MAX, 0, None),
            (100, u32::MAX - 99, Some(200)),
            ((1 << 31) - 1, 0, Some((1 << 31) - 1)),
            // Undefined by the RFC in both directions.
            (1 << 31, 0, None),
            (0, 1 << 31, None),
        ] {
            assert_eq!(Serial(later).changes_since(Serial(earlier)), changes, "{earlier} to {later}");
        }
    }
}
