//! The sender of one stream: collects records into batches and sends them one after another, for as long as it takes.

use contracts::receipt::Receipt;
use contracts::{Seq, StreamNo};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::batch::Collector;
use crate::{Api, Batch, Config, SendError};

/// Records that may wait for the collector; each has at most 2 KiB.
const WAITING_RECORDS_MAX: usize = 256;

/// Sends the records of one stream. Memory: some records on their way to the collector, the batch being collected, those that wait,
/// and the one in flight. Records that were pushed are sent within [`Config::linger`], whether or not more are pushed. Dropping it
/// ends sending at once: what has no receipt may or may not have been accepted, and the next sender finds out.
pub struct Sender {
    next_seq: u64,
    orders: mpsc::Sender<Order>,
    // The collector and the flight; aborted when dropped.
    tasks: JoinSet<Result<(), SendError>>,
    receipts: mpsc::UnboundedReceiver<Receipt>,
}

enum Order {
    Record(Vec<u8>),
    Flush,
}

impl Sender {
    /// Asks for the stream's head and the receipt keys (for as long as it takes), and begins there.
    ///
    /// # Errors
    /// The server refused, or gave an answer that can't be read.
    pub async fn open(config: Config, stream: StreamNo) -> Result<Self, SendError> {
        let api = Api::new(config.clone())?;
        let next_seq = api.next_seq(stream).await?;
        let (batches, waiting) = mpsc::channel(config.waiting_batches_max.max(1));
        let (orders, taken) = mpsc::channel(WAITING_RECORDS_MAX);
        // Receipts are small and one a batch; the batches are what is bounded.
        let (to_receipts, receipts) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        tasks.spawn(collect(config, next_seq, taken, batches));
        tasks.spawn(fly(api, stream, waiting, to_receipts));
        Ok(Self { next_seq: next_seq.get(), orders, tasks, receipts })
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
        self.orders.send(Order::Record(record.to_vec())).await.map_err(|_| SendError::Ended)?;
        self.next_seq += 1;
        Ok(())
    }

    /// Sends what is collected without waiting for more.
    ///
    /// # Errors
    /// Sending has ended; [`Sender::finish`] says why.
    pub async fn flush(&mut self) -> Result<(), SendError> {
        self.orders.send(Order::Flush).await.map_err(|_| SendError::Ended)
    }

    /// The receipts that have come since the last call, checked.
    pub fn receipts(&mut self) -> Vec<Receipt> {
        std::iter::from_fn(|| self.receipts.try_recv().ok()).collect()
    }

    /// The next receipt, as soon as it is there; `None` when sending has ended.
    pub async fn receipt(&mut self) -> Option<Receipt> {
        self.receipts.recv().await
    }

    /// Sends the rest, waits for every receipt, and gives those not yet taken.
    ///
    /// # Errors
    /// Why sending ended early.
    pub async fn finish(mut self) -> Result<Vec<Receipt>, SendError> {
        drop(self.orders);
        let mut ended = Ok(());
        while let Some(task) = self.tasks.join_next().await {
            let result = task.unwrap_or(Err(SendError::Ended));
            // Why a batch was refused tells more than that nobody took the next one.
            if matches!(ended, Ok(()) | Err(SendError::Ended)) && result.is_err() {
                ended = result;
            }
        }
        ended?;
        Ok(std::iter::from_fn(|| self.receipts.try_recv().ok()).collect())
    }
}

/// Makes batches of records, by count, size and age.
async fn collect(
    config: Config,
    mut first_seq: Seq,
    mut orders: mpsc::Receiver<Order>,
    batches: mpsc::Sender<Batch>,
) -> Result<(), SendError> {
    let mut collector = Collector::default();
    let mut deadline = Instant::now();
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            () = sleep_until(deadline), if collector.count() > 0 => Some(Order::Flush),
        };
        let (record, ended) = match order {
            Some(Order::Record(record)) => (Some(record), false),
            Some(Order::Flush) => (None, false),
            None => (None, true),
        };
        let fits = |record: &Vec<u8>| collector.bytes() + record.len() < config.batch_bytes_max;
        if collector.count() > 0 && !record.as_ref().is_some_and(fits) {
            first_seq = send_off(&mut collector, first_seq, &config, &batches).await?;
        }
        if let Some(record) = record {
            if collector.count() == 0 {
                deadline = Instant::now() + config.linger;
            }
            collector.push(&record);
            if collector.count() as usize >= config.batch_records_max {
                first_seq = send_off(&mut collector, first_seq, &config, &batches).await?;
            }
        }
        if ended {
            return Ok(());
        }
    }
}

/// Hands a batch over; gives the seq after its last.
async fn send_off(
    collector: &mut Collector,
    first_seq: Seq,
    config: &Config,
    batches: &mpsc::Sender<Batch>,
) -> Result<Seq, SendError> {
    let batch = collector.take(first_seq, config.encoding).map_err(SendError::Pack)?;
    let next = Seq::new(batch.last_seq() + 1).ok_or(SendError::Exhausted)?;
    batches.send(batch).await.map_err(|_| SendError::Ended)?;
    Ok(next)
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
        if keys.lack_key_of(&receipt) {
            keys = api.receipt_keys_for(&receipt).await?;
        }
        keys.verify_for(&receipt, api.config(), stream, &batch).map_err(SendError::Receipt)?;
        // Nobody may be listening any more; the batch is accepted all the same.
        let _ = receipts.send(receipt);
    }
    Ok(())
}
