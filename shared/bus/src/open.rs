//! Opening the bus at a service's start: connect, make sure of the streams, wait a while for a server that starts as well.

use std::time::{Duration, Instant};

use crate::{Bus, BusConfig, ConnectError, DeclareError, LostStreams, StreamBytes, metrics};

/// How long to wait for a broker that does not answer yet, as when all is started at once.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pause between two attempts.
const PAUSE: Duration = Duration::from_millis(250);

/// Why the bus can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The broker.
    #[error("the broker can't be used")]
    Connect(#[source] ConnectError),
    /// Its streams.
    #[error("the broker's streams can't be used")]
    Declare(#[source] DeclareError),
}

impl OpenError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Connect(error) => error.is_passing(),
            Self::Declare(error) => matches!(error, DeclareError::Away(_) | DeclareError::NotYet(_)),
        }
    }
}

impl Bus {
    /// Connects and declares the streams; tries again for half a minute while the cause may pass.
    ///
    /// # Errors
    /// [`OpenError`], at once when waiting would not help.
    pub async fn open(config: BusConfig, bytes: StreamBytes, lost: LostStreams) -> Result<Self, OpenError> {
        let began = Instant::now();
        loop {
            let error = match Self::connect(config.clone()).await {
                Ok(bus) => match bus.declare(bytes, lost).await {
                    Ok(()) => {
                        metrics::watch(&bus);
                        return Ok(bus);
                    }
                    Err(error) => OpenError::Declare(error),
                },
                Err(error) => OpenError::Connect(error),
            };
            if !error.is_passing() || began.elapsed() > PATIENCE {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Connects to read alone what others declare; as patient as [`Self::open`].
    ///
    /// # Errors
    /// [`OpenError`]
    pub async fn open_to_read(config: BusConfig) -> Result<Self, OpenError> {
        let began = Instant::now();
        loop {
            match Self::connect(config.clone()).await.map_err(OpenError::Connect) {
                Err(error) if error.is_passing() && began.elapsed() <= PATIENCE => {}
                done => return done,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
