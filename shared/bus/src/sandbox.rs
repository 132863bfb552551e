//! `SANDBOX`: what operators asked the sandbox and what it answered. Unlike the streams of the market it forgets: the oldest first.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use contracts::subjects;

use crate::connect::Bus;
use crate::streams::{DeclareError, named};

/// Bytes it may hold on disk: some two million requests.
const BYTES_MAX: i64 = 1 << 30;
/// Requests of one operator that are kept.
const REQUESTS_MAX: i64 = 100_000;
/// How long requests are kept: a conformance run and the questions after it.
const AGE_MAX: Duration = Duration::from_secs(90 * 86_400);

impl Bus {
    /// Makes sure that the stream is there, with these limits. For processes of the sandbox alone.
    ///
    /// # Errors
    /// [`DeclareError`]
    pub async fn declare_sandbox(&self) -> Result<(), DeclareError> {
        let wanted = Config {
            name: subjects::SANDBOX.to_owned(),
            subjects: vec![subjects::SANDBOX_ALL.to_owned()],
            description: Some("requests to the sandbox and their answers".to_owned()),
            storage: StorageType::File,
            retention: RetentionPolicy::Limits,
            discard: DiscardPolicy::Old,
            max_bytes: BYTES_MAX,
            max_messages_per_subject: REQUESTS_MAX,
            max_age: AGE_MAX,
            num_replicas: usize::from(self.inner.replicas.get()),
            allow_direct: true,
            ..Config::default()
        };
        let made = self.api(subjects::SANDBOX).create_or_update_stream(wanted).await;
        made.map(drop).map_err(|error| named(subjects::SANDBOX, error))
    }
}
