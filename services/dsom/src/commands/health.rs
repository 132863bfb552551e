//! `dsom health`: whether a service is alive, or ready, for whoever has no shell to ask with.

use std::time::Duration;

use reqwest::Url;

use crate::Failure;

/// How long an answer may take: below the time limits of those who ask again and again.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How much of a refusal is told.
const WHY_CHARS_MAX: usize = 400;

/// Asks whether a service is alive; ends with 0 when it is, with 3 when it is not or can't be reached
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  dsom health --ready http://127.0.0.1:7101\n\nAsks URL/healthz, with --ready URL/readyz, whose answer names what is not ready."
)]
pub struct Health {
    /// Ask whether it can do its work, not only whether it answers
    #[arg(long)]
    ready: bool,
    /// Base URL of the service
    url: Url,
}

impl Health {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let (page, what) = if self.ready { ("readyz", "ready") } else { ("healthz", "alive") };
        let url = format!("{}/{page}", self.url.as_str().trim_end_matches('/'));
        let silent =
            |error: &dyn std::error::Error| Failure::unreachable(format!("{url} does not answer")).because(error);
        let http = reqwest::Client::builder().timeout(ANSWER_MAX).no_proxy().build().map_err(|error| silent(&error))?;
        let answer = http.get(&url).send().await.map_err(|error| silent(&error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why: String = answer.text().await.unwrap_or_default().chars().take(WHY_CHARS_MAX).collect();
        Err(Failure::unreachable(format!("not {what}: {url} answered {status} {}", why.trim())))
    }
}
