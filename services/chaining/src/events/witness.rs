//! What others were told, read back from `LEDGER`.

use async_trait::async_trait;
use bus::{Bus, ReadError};
use contracts::block::{BlockHeader, SealedBlock};
use contracts::{Hash, Height, OperatorId, subjects};

use crate::actors::Witness;

/// Reads the last messages of `LEDGER`, which trimming leaves.
#[derive(Clone)]
pub struct BusWitness {
    /// The bus.
    pub bus: Bus,
}

#[async_trait]
impl Witness for BusWitness {
    async fn last_block(&self, operator: OperatorId) -> Result<Option<(Height, Hash)>, String> {
        let subject = subjects::ledger_block(operator);
        let Some(payload) = self.last_of(&subject).await? else { return Ok(None) };
        // A block on LEDGER that can't be read is damage there, not here: it says nothing about our store.
        let Ok(block) = SealedBlock::decode(&payload.into()) else { return Ok(None) };
        let Ok(header) = BlockHeader::parse(&block.header) else { return Ok(None) };
        Ok(Some((header.height, ledger::block_hash(&block.header))))
    }

    async fn last_checkpoint(&self) -> Result<Option<Vec<u8>>, String> {
        self.last_of(subjects::LEDGER_CHECKPOINT).await
    }
}

impl BusWitness {
    async fn last_of(&self, subject: &str) -> Result<Option<Vec<u8>>, String> {
        let found = self.bus.last_of(subjects::LEDGER, subject).await;
        found.map(|message| message.map(|message| message.payload.to_vec())).map_err(|error| match error {
            ReadError::NoStream(stream) => format!("stream {stream} is gone"),
            ReadError::Away(cause) => format!("nats did not answer: {cause}"),
        })
    }
}
