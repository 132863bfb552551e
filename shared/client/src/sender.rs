//! The sender of one stream: collects records into batches and sends them one after another, for as long as it takes.

use contracts::receipt::Receipt;
use contracts::{Seq, StreamNo};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::batch::Collector;
use crate::{Api, Batch, Config, SendError};

/// Sends the records of one stream. Memory: the batch being collected, those that wait, and the one in flight.
pub struct Sender {
    config: Config,
    collector: Collector,
    first_seq: u64,
    next_seq: u64,
    oldest: Option<Instant>,
    batches: Option<mpsc::Sender<Batch>>,
    flight: JoinHandle<Result<(), SendError>>,
    receipts: mpsc::UnboundedReceiver<Receipt>,
}

impl Sender {
    /// Asks for the stream's head and the receipt keys (for as long as it takes), and begins there.
    ///
    /// # Errors
    /// The server refused, or gave an answer that can't be read.
    pub async fn open(config: Config, stream: StreamNo) -> Result<Self, SendError> {
        let api = Api::new(config.clone())?;
        let next_seq = api.next_seq(stream).await?.get();
        let (batches, waiting) = mpsc::channel(config.waiting_batches_max.max(1));
        // Receipts are small and one a batch; the batches are what is bounded.
        let (to_receipts, receipts) = mpsc::unbounded_channel();
        let flight = tokio::spawn(fly(api, stream, waiting, to_receipts));
        Ok(Self {
            config,
            collector: Collector::default(),
            first_seq: next_seq,
            next_seq,
            oldest: None,
            batches: Some(batches),
            flight,
            receipts,
        })
    }

    /// The seq that the next record must have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Takes the next record, whose seq must be [`Sender::next_seq`]. Waits while the buffer is full.
    ///
    /// # Errors
    /// Sending has ended; [`Sender::finish`] says why.
    pub async fn push(&mut self, record: &[u8]) -> Result<(), SendError> {
        let full = self.collector.count() as usize >= self.config.batch_records_max
            || self.collector.bytes() + record.len() >= self.config.batch_bytes_max;
        if self.collector.count() > 0 && full {
            self.flush().await?;
        }
        self.collector.push(record);
        self.next_seq += 1;
        let oldest = *self.oldest.get_or_insert_with(Instant::now);
        let whole = self.collector.count() as usize >= self.config.batch_records_max;
        if whole || oldest.elapsed() >= self.config.linger {
            self.flush().await?;
        }
        Ok(())
    }

    /// When what is collected must be sent at the latest, for a caller that waits for more records: call [`Sender::flush`] then.
    pub fn deadline(&self) -> Option<Instant> {
        self.oldest.map(|oldest| oldest + self.config.linger)
    }

    /// Sends what is collected, however little. Waits while the buffer is full.
    ///
    /// # Errors
    /// Sending has ended; [`Sender::finish`] says why.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        self.oldest = None;
        if self.collector.count() == 0 {
            return Ok(());
        }
        let first = Seq::new(self.first_seq).ok_or(SendError::OutOfOrder { expected: self.first_seq })?;
        let batch = self.collector.take(first, self.config.encoding).map_err(SendError::Pack)?;
        self.first_seq = self.next_seq;
        let batches = self.batches.as_ref().ok_or(SendError::Ended)?;
        batches.send(batch).await.map_err(|_| SendError::Ended)
    }

    /// The receipts that have come since the last call, checked.
    pub fn receipts(&mut self) -> Vec<Receipt> {
        std::iter::from_fn(|| self.receipts.try_recv().ok()).collect()
    }

    /// Sends the rest, waits for every receipt, and gives those not yet taken.
    ///
    /// # Errors
    /// Why sending ended early.
    pub async fn finish(mut self) -> Result<Vec<Receipt>, SendError> {
        let flushed = self.flush().await;
        self.batches = None;
        match self.flight.await {
            Ok(sent) => sent?,
            Err(_) => return Err(SendError::Ended),
        }
        flushed?;
        let mut rest = Vec::new();
        while let Ok(receipt) = self.receipts.try_recv() {
            rest.push(receipt);
        }
        Ok(rest)
    }
}

/// Sends batches one after another and checks each receipt.
async fn fly(
    api: Api,
    stream: StreamNo,
    mut waiting: mpsc::Receiver<Batch>,
    receipts: mpsc::UnboundedSender<Receipt>,
) -> Result<(), SendError> {
    let mut keys = api.receipt_keys().await?;
    while let Some(batch) = waiting.recv().await {
        let receipt = api.send(stream, &batch).await?;
        if !keys.knows(&receipt) {
            // A new signing key is published before it is used.
            keys = api.receipt_keys().await?;
        }
        keys.verify_for(&receipt, api.config(), stream, &batch).map_err(SendError::Receipt)?;
        if receipts.send(receipt).is_err() {
            break;
        }
    }
    Ok(())
}
