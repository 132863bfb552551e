//! Asks the server's monitoring port whether JetStream syncs every write.

use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long the answer may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Largest answer read; a real one has under 4 KiB.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Why a server is not known to sync every write.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The address is not `http://host:port`.
    #[error("{0:?} is not an address like http://127.0.0.1:8222")]
    Address(String),
    /// The port does not answer.
    #[error(
        "the monitoring port does not answer; does nats-server run, with `http: \"127.0.0.1:8222\"` in its configuration?"
    )]
    Unreachable(#[source] std::io::Error),
    /// The answer is not what nats-server says there.
    #[error("the monitoring port answers something else than /jsz of nats-server: {0}")]
    Answer(String),
    /// JetStream is off.
    #[error("JetStream is off; set `jetstream {{ store_dir: \"…\", sync_interval: always }}`")]
    NoJetStream,
    /// JetStream acknowledges before it syncs: what is accepted could be lost in a power cut.
    #[error(
        "JetStream syncs every {} s only, so an acknowledged message can be lost in a power cut; set `sync_interval: always` in the `jetstream` block of nats-server's configuration and restart it",
        .0.as_secs()
    )]
    NotSyncing(Duration),
}

impl MonitorError {
    /// Whether trying again can help without anybody changing the server's configuration.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Answer(_))
    }
}

#[derive(Deserialize)]
struct Jsz {
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    config: Option<JszConfig>,
}

#[derive(Deserialize)]
struct JszConfig {
    #[serde(default)]
    sync_always: bool,
    #[serde(default)]
    sync_interval: u64,
}

/// Fails unless the servers, separated by commas, sync every write: more than half must say so, and none may say otherwise. One
/// that is away does not keep the others from working: what most of them acknowledge is on one at least that was asked.
pub(crate) async fn syncs_always(monitor_urls: &str) -> Result<(), MonitorError> {
    let asked = monitor_urls.split(',').map(|url| async move { judge(&get(url.trim()).await?) });
    let answers = futures::future::join_all(asked).await;
    let (total, mut good, mut away) = (answers.len(), 0, None);
    for answer in answers {
        match answer {
            Ok(()) => good += 1,
            Err(error) if error.is_passing() => away = Some(error),
            Err(error) => return Err(error),
        }
    }
    match away {
        Some(error) if good * 2 <= total => Err(error),
        _ => Ok(()),
    }
}

fn judge(body: &[u8]) -> Result<(), MonitorError> {
    let jsz: Jsz = serde_json::from_slice(body).map_err(|error| MonitorError::Answer(error.to_string()))?;
    match jsz.config {
        Some(config) if config.sync_always => Ok(()),
        Some(config) if !jsz.disabled => Err(MonitorError::NotSyncing(Duration::from_nanos(config.sync_interval))),
        _ => Err(MonitorError::NoJetStream),
    }
}

/// One GET over HTTP/1.0, which is never chunked: a client library would be the heaviest part of this crate.
async fn get(url: &str) -> Result<Vec<u8>, MonitorError> {
    let host = url
        .strip_prefix("http://")
        .map(|rest| rest.trim_end_matches('/'))
        .filter(|host| host.contains(':') && !host.contains('/'))
        .ok_or_else(|| MonitorError::Address(url.to_owned()))?;
    let exchange = async {
        let mut stream = TcpStream::connect(host).await?;
        stream.write_all(format!("GET /jsz?config=true HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
        Ok(answer)
    };
    let timeout = || std::io::Error::from(std::io::ErrorKind::TimedOut);
    let answer = tokio::time::timeout(TIMEOUT, exchange)
        .await
        .unwrap_or_else(|_| Err(timeout()))
        .map_err(MonitorError::Unreachable)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let status = answer.split(|byte| *byte == b' ').nth(1);
    match (status, end.and_then(|end| answer.get(end + 4..))) {
        (Some(b"200"), Some(body)) => Ok(body.to_vec()),
        _ => Err(MonitorError::Answer(
            String::from_utf8_lossy(answer.get(..answer.len().min(80)).unwrap_or_default()).into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_syncs_is_good() {
        assert!(judge(br#"{"config":{"max_memory":1,"sync_interval":1,"sync_always":true}}"#).is_ok());
        let lazy = judge(br#"{"config":{"max_memory":1,"sync_interval":120000000000}}"#).expect_err("lazy");
        assert!(lazy.to_string().contains("every 120 s") && lazy.to_string().contains("sync_interval: always"));
        assert!(!lazy.is_passing());
        assert!(matches!(judge(br#"{"disabled":true,"config":{}}"#), Err(MonitorError::NoJetStream)));
        assert!(matches!(judge(b"<html>"), Err(MonitorError::Answer(_))));
    }

    /// A monitoring port that gives one answer.
    async fn server(body: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut asked = [0; 1024];
                let _read = stream.read(&mut asked).await.expect("a question");
                let answer = format!("HTTP/1.0 200 OK\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.expect("an answer");
            }
        });
        url
    }

    #[tokio::test]
    async fn most_must_sync_and_none_may_not() {
        let good = server(r#"{"config":{"sync_always":true}}"#).await;
        let lazy = server(r#"{"config":{"sync_interval":120000000000}}"#).await;
        // Nobody listens on port 1.
        let away = "http://127.0.0.1:1";
        for urls in [vec![&*good], vec![&*good, &*good, away], vec![away, &*good, &*good]] {
            assert!(syncs_always(&urls.join(",")).await.is_ok(), "{urls:?}");
        }
        for urls in [vec![away], vec![&*good, away], vec![&*good, away, away]] {
            let refused = syncs_always(&urls.join(",")).await;
            assert!(matches!(refused, Err(MonitorError::Unreachable(_))), "{urls:?}");
        }
        for urls in [vec![&*lazy], vec![&*good, &*good, &*lazy], vec![away, &*lazy, &*good]] {
            let refused = syncs_always(&urls.join(",")).await;
            assert!(matches!(refused, Err(MonitorError::NotSyncing(_))), "{urls:?}");
        }
    }

    #[tokio::test]
    async fn other_addresses_are_refused() {
        for bad in ["", "127.0.0.1:8222", "https://127.0.0.1:8222", "http://127.0.0.1:8222/jsz", "http://localhost"] {
            assert!(matches!(get(bad).await, Err(MonitorError::Address(_))), "{bad}");
        }
    }
}
