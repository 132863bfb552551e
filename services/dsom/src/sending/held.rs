//! What ingest holds already, held against its receipts: a file whose accepted records were changed must not be called accepted.

use client::{Api, ReceiptKeys};
use contracts::receipt::{Claims, Receipt};
use contracts::{Hash, OperatorId, Seq, StreamNo};
use ledger::leaf_hash;

use super::{Book, Places, failed};
use crate::Failure;

/// The comparison of one stream, record by record in the order of seqs.
pub(super) struct Held<'a> {
    api: &'a Api,
    chaining: &'a str,
    stream: StreamNo,
    book: Option<&'a Book>,
    /// Every seq below is accepted.
    head: u64,
    keys: Option<ReceiptKeys>,
    batch: Option<Batch>,
    unchecked: u64,
    fetched: u64,
}

/// The batch whose records are being read.
struct Batch {
    claims: Claims,
    /// The leaves of what was read of it.
    leaves: Vec<Hash>,
    /// The next seq.
    next: u64,
    /// Whether its receipt comes from the book: then ingest has the last word.
    is_kept: bool,
}

impl<'a> Held<'a> {
    pub(super) fn new(api: &'a Api, chaining: &'a str, stream: StreamNo, book: Option<&'a Book>, head: u64) -> Self {
        Self { api, chaining, stream, book, head, keys: None, batch: None, unchecked: 0, fetched: 0 }
    }

    /// The next record that was accepted before.
    pub(super) async fn take(&mut self, seq: u64, record: &[u8], places: &Places) -> Result<(), Failure> {
        let mut batch = match self.batch.take() {
            Some(batch) if batch.next == seq => batch,
            other => {
                self.unchecked += other.map_or(0, |cut| cut.leaves.len() as u64);
                self.open(seq, places).await?
            }
        };
        batch.leaves.push(leaf_hash(record));
        batch.next = seq + 1;
        if seq < batch.claims.last_seq.get() {
            self.batch = Some(batch);
            return Ok(());
        }
        if batch.leaves.len() as u64 != batch.claims.count {
            self.unchecked += batch.leaves.len() as u64;
            return Ok(());
        }
        match ledger::root(&batch.leaves) == batch.claims.root {
            true => Ok(()),
            false => Err(self.difference(&batch, places).await),
        }
    }

    /// Records that could not be compared, because their batches reach beyond the files; receipts that were fetched.
    pub(super) fn end(self) -> (u64, u64) {
        (self.unchecked + self.batch.map_or(0, |cut| cut.leaves.len() as u64), self.fetched)
    }

    /// The batch that holds a record: by the receipt in the book, if it is ingest's, or by the one that ingest gives.
    async fn open(&mut self, seq: u64, places: &Places) -> Result<Batch, Failure> {
        let whose: OperatorId = self.api.config().operator;
        if let Some(receipt) = self.book.and_then(|book| book.find((whose, self.stream), seq))
            && let Ok(claims) = self.checked(&receipt, places).await
            && claims.last_seq.get() < self.head
        {
            return Ok(Batch { claims, leaves: Vec::new(), next: seq, is_kept: true });
        }
        let claims = self.fetch(seq, places).await?;
        Ok(Batch { claims, leaves: Vec::new(), next: seq, is_kept: false })
    }

    async fn fetch(&mut self, seq: u64, places: &Places) -> Result<Claims, Failure> {
        let bad = || Failure::bad(format!("ingest's receipt for seq {seq}"));
        let wanted = Seq::new(seq).ok_or_else(bad)?;
        let receipt = self.api.receipt(self.stream, wanted).await.map_err(|error| failed(&error, places))?;
        let claims = self.checked(&receipt, places).await?;
        if !(claims.first_seq.get()..=claims.last_seq.get()).contains(&seq) {
            return Err(bad());
        }
        if let Some(book) = self.book {
            book.keep(&receipt);
        }
        self.fetched += 1;
        Ok(claims)
    }

    async fn checked(&mut self, receipt: &Receipt, places: &Places) -> Result<Claims, Failure> {
        let keys = match self.keys.take() {
            Some(keys) if !keys.lack_key_of(receipt) => keys,
            _ => self.api.receipt_keys().await.map_err(|error| failed(&error, places))?,
        };
        let checked = keys.verify_of(receipt, self.api.config(), self.stream);
        self.keys = Some(keys);
        checked.map_err(|error| Failure::bad("a receipt can't be trusted").because(&error))
    }

    /// What to say of a batch whose records in the files are not those that were accepted.
    async fn difference(&mut self, batch: &Batch, places: &Places) -> Failure {
        let Claims { first_seq, last_seq, .. } = batch.claims;
        if batch.is_kept {
            match self.fetch(first_seq.get(), places).await {
                Ok(claims) if claims == batch.claims => {}
                Ok(_) => {
                    return Failure::bad(format!(
                        "the file of receipts promises seq {first_seq} to {last_seq} otherwise than ingest does now: keep it, it \
                         is evidence, and name another file"
                    ));
                }
                Err(failure) => return failure,
            }
        }
        let place = |seq: u64| places.find(seq).unwrap_or_else(|| format!("seq {seq}"));
        match self.differing(batch).await {
            Some(seq) => Failure::bad(format!("{}: seq {seq} was accepted with other bytes", place(seq))),
            None => Failure::bad(format!(
                "{} to {}: a record of seq {first_seq} to {last_seq} was accepted with other bytes",
                place(first_seq.get()),
                place(last_seq.get())
            )),
        }
    }

    /// The first record of a batch that chaining shows with other bytes; `None` where it can't say.
    async fn differing(&self, batch: &Batch) -> Option<u64> {
        let config = self.api.config();
        let http = reqwest::Client::builder().timeout(config.try_timeout).build().ok()?;
        let base = format!("{}/v1/records/{}/{}", self.chaining, config.operator, self.stream);
        for (seq, leaf) in (batch.claims.first_seq.get()..).zip(&batch.leaves) {
            let shown = http.get(format!("{base}/{seq}")).bearer_auth(config.token.token()).send().await.ok()?;
            let record = shown.error_for_status().ok()?.bytes().await.ok()?;
            if leaf_hash(&record) != *leaf {
                return Some(seq);
            }
        }
        None
    }
}
