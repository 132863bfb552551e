//! Where a log's files come from: over HTTP, or from a folder.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

/// How long one file may take.
const FILE_TIMEOUT: Duration = Duration::from_secs(30);

/// The public files of a log (C2SP tlog-tiles), by their paths.
pub enum Source {
    /// Below a URL.
    Http {
        /// Keeps connections.
        http: reqwest::Client,
        /// Without a trailing slash.
        base: String,
    },
    /// Below a folder.
    Folder(PathBuf),
}

impl Source {
    /// A URL or a folder.
    ///
    /// # Errors
    /// The TLS backend could not be set up, or there is no such folder.
    pub fn open(place: &str) -> Result<Self, Failure> {
        if place.starts_with("http://") || place.starts_with("https://") {
            let http = reqwest::Client::builder().timeout(FILE_TIMEOUT).build();
            let http = http.map_err(|error| Failure::unreachable("no HTTP client").because(&error))?;
            return Ok(Self::Http { http, base: place.trim_end_matches('/').to_owned() });
        }
        let folder = PathBuf::from(place);
        match folder.is_dir() {
            true => Ok(Self::Folder(folder)),
            false => Err(Failure::usage(format!("{place} is neither a URL nor a folder"))),
        }
    }

    /// Reads one file of at most `bytes_max` bytes. A file that does not exist is the log's fault; one that can't be fetched is not.
    ///
    /// # Errors
    /// [`Failure`], bad or unreachable.
    pub async fn read(&self, path: &str, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        let bytes = match self {
            Self::Http { http, base } => fetch(http, &format!("{base}/{path}"), bytes_max).await?,
            Self::Folder(folder) => {
                let at = folder.join(path);
                tokio::fs::read(&at).await.map_err(|error| match error.kind() {
                    ErrorKind::NotFound => Failure::bad(format!("the log has no {path}")),
                    _ => Failure::unreachable(format!("could not read {}", at.display())).because(&error),
                })?
            }
        };
        match bytes.len() > bytes_max {
            true => Err(Failure::bad(format!("{path} has more than {bytes_max} bytes"))),
            false => Ok(bytes),
        }
    }
}

/// Fetches a URL's bytes, at most one more than `bytes_max`.
///
/// # Errors
/// [`Failure`], bad where the server says that there is nothing, unreachable otherwise.
pub async fn fetch(http: &reqwest::Client, url: &str, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let cannot = |error: reqwest::Error| Failure::unreachable(format!("could not fetch {url}")).because(&error);
    let mut answer = http.get(url).send().await.map_err(cannot)?;
    let status = answer.status();
    if status.is_client_error() {
        return Err(Failure::bad(format!("{url}: {status}")));
    }
    if !status.is_success() {
        return Err(Failure::unreachable(format!("{url}: {status}")));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(cannot)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > bytes_max {
            break;
        }
    }
    Ok(bytes)
}
