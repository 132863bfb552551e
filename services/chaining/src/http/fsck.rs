//! `POST /v1/fsck`: has everything derived anew; progress and verdict come as lines of JSON.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{HttpResponse, web};
use bytes::Bytes;
use contracts::problems::Code;
use runtime::{ApiError, Person, Role};
use serde_json::json;
use tokio::sync::mpsc;

use super::Service;
use crate::fsck::{Progress, Scope, fsck};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(500);
/// Lines that may wait for a slow reader; more progress is left out, the verdict waits.
const LINES_MAX: usize = 16;

/// Derives every block, chain, tile and checkpoint from stored bytes. Lines `{"progress": …}` come while it runs, the last one is
/// `{"report": …}` and names the first place that is wrong.
#[utoipa::path(
    post,
    path = "/v1/fsck",
    tag = "log",
    security(("bearer" = ["auditor"])),
    responses((status = 200, description = "Lines of JSON", content_type = "application/x-ndjson"))
)]
pub async fn post(person: Person, service: web::Data<Arc<Service>>) -> Result<HttpResponse, ApiError> {
    person.one_of(&[Role::Auditor, Role::ChiefClerk])?;
    if service.checking.swap(true, Ordering::AcqRel) {
        return Err(ApiError::new(Code::Unavailable, "another check runs").retry_after(10));
    }
    let running = Running(Arc::clone(&service.checking));
    let (lines, shown) = mpsc::channel::<Bytes>(LINES_MAX);
    let service = service.get_ref().clone();
    tokio::spawn(async move {
        let _running = running;
        let mut told = Instant::now();
        let mut progress = |progress: Progress| {
            if told.elapsed() >= TELL_EVERY {
                told = Instant::now();
                // A reader that does not keep up misses progress, not the verdict.
                let _ = lines.try_send(line(&json!({"progress": progress})));
            }
        };
        let report = fsck(service.store.as_ref(), service.key.verifier(), Scope::Everything, &mut progress).await;
        if let Some(first) = &report.first {
            tracing::error!(place = %first, "the store is damaged");
        }
        // Whoever asked may have gone; the log has the finding.
        let _ = lines.send(line(&json!({"report": report}))).await;
    });
    let body = futures::stream::unfold(shown, |mut shown| async {
        let line = shown.recv().await?;
        Some((Ok::<_, ApiError>(line), shown))
    });
    Ok(HttpResponse::Ok().content_type("application/x-ndjson").streaming(body))
}

/// Marks that no check runs any more, however it ended.
struct Running(Arc<AtomicBool>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

fn line(value: &serde_json::Value) -> Bytes {
    format!("{value}\n").into()
}
