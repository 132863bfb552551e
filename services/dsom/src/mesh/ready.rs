//! Waiting until a part is ready, for as long as it runs.

use std::time::Duration;

use tokio::sync::watch;

/// How long a part may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(60);
/// How often readiness is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Waits until a URL answers 200 while the process behind it runs: `ended` says how it ended, once it has. Says why it did not become
/// ready.
pub(super) async fn wait(url: &str, mut ended: watch::Receiver<Option<String>>) -> Result<(), String> {
    let how = |ended: &Option<String>| format!("it ended ({})", ended.as_deref().unwrap_or("nobody saw how"));
    let answered = tokio::select! {
        ended = ended.wait_for(Option::is_some) => return Err(ended.map_or_else(|_| how(&None), |ended| how(&ended))),
        answered = answered(url) => answered,
    };
    // Whoever answers for a process that has ended is another's.
    match &*ended.borrow() {
        None => answered,
        ended => Err(how(ended)),
    }
}

/// Waits until a URL answers 200; says what the last answer was when it does not.
async fn answered(url: &str) -> Result<(), String> {
    let http = reqwest::Client::builder().timeout(Duration::from_secs(2)).build().map_err(|error| error.to_string())?;
    let deadline = tokio::time::Instant::now() + READY_MAX;
    loop {
        let why = match http.get(url).send().await {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
            Err(error) => error.to_string(),
        };
        if tokio::time::Instant::now() > deadline {
            return Err(why);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::process::{Plan, Supervised};
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_is_not_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = Plan {
            name: "part",
            program: "false".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            log: folder.path().join("part.log"),
            health: None,
        };
        let part = Supervised::start(plan, Arc::new(|_, _| ())).expect("starts");
        // Nobody listens on port 1.
        let why = wait("http://127.0.0.1:1/readyz", part.ended()).await.expect_err("it ended");
        assert_eq!(why, "it ended (exit status: 1)");
        part.stop().await;
    }
}
