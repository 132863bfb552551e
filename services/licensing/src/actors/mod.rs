//! Who keeps an operator, tells the mesh of it, and lets assertions in.

pub mod admission;
pub mod desk;
pub mod desks;
mod directory;
pub mod follower;
pub mod sites;
pub mod teller;
#[cfg(test)]
pub(crate) mod tests;

pub use admission::{Admissions, Admit};
pub use desk::{Decide, DecideError};
pub use desks::Desks;
pub use directory::{Directory, Doubt, LoadError};
pub use follower::Follower;
pub use teller::{Tell, Teller};

use std::time::SystemTime;

use contracts::UnixMillis;

/// The time of day; 1970 when the clock is set before it.
pub(crate) fn now() -> UnixMillis {
    let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(i64::try_from(passed.as_millis()).unwrap_or(i64::MAX))
}
