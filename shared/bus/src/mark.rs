//! The mark on `TX`: into which log its records are sealed, so that no other mesh seals and trims them.

use std::collections::HashMap;

use contracts::subjects;

use crate::connect::Bus;
use crate::read::ReadError;
use crate::streams::{DeclareError, named};

/// The name under which the stream's metadata say it.
const LOG: &str = "dsom.log";

impl Bus {
    /// Makes sure that `TX` is sealed into the log of this name: what is not marked yet is marked, by the first who seals it.
    ///
    /// # Errors
    /// [`DeclareError::OtherLog`] when it is marked otherwise. Then nothing of it may be sealed.
    pub async fn claim(&self, log: &str) -> Result<(), DeclareError> {
        let away = |error: ReadError| DeclareError::Away(Box::new(error));
        let mut config = self.info_of(subjects::TX).await.map_err(away)?.config;
        if is_of(&config.metadata, log)? {
            return Ok(());
        }
        config.metadata.insert(LOG.to_owned(), log.to_owned());
        let marking = self.api(subjects::TX).update_stream(&config).await;
        marking.map_err(|error| named(subjects::TX, error))?;
        // Of two that begin at once the last mark stands, and the other one reads it here.
        let marked = self.info_of(subjects::TX).await.map_err(away)?.config.metadata;
        is_of(&marked, log).map(drop)
    }
}

/// Whether the mark is there; an error when it is another.
fn is_of(metadata: &HashMap<String, String>, log: &str) -> Result<bool, DeclareError> {
    match metadata.get(LOG) {
        None => Ok(false),
        Some(found) if found == log => Ok(true),
        Some(found) => Err(DeclareError::OtherLog { found: found.clone(), own: log.to_owned() }),
    }
}
