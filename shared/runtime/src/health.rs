//! Liveness and readiness: `/healthz` says the process answers, `/readyz` that it can do its work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::{Map, Value, json};

/// How often vital checks are asked.
const VITAL_EVERY: Duration = Duration::from_secs(1);

type Check = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The named checks of a service; clones are one and the same.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    draining: AtomicBool,
    checks: RwLock<Vec<(&'static str, Check)>>,
    warnings: RwLock<Vec<(&'static str, Check)>>,
    vital: RwLock<Vec<(&'static str, Check)>>,
}

impl Health {
    /// One without checks: ready until told to drain.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check, asked at every `/readyz`: it must be quick and not wait.
    pub fn check(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.0.checks.write().unwrap_or_else(PoisonError::into_inner).push((name, Box::new(check)));
    }

    /// Adds a check of something that does not come back by itself: when it fails the process is not ready, and ends, so that whoever
    /// supervises it starts it again.
    pub fn vital(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.0.vital.write().unwrap_or_else(PoisonError::into_inner).push((name, Box::new(check)));
    }

    /// Waits until a vital check fails, and says which one and why.
    pub(crate) async fn lost(&self) -> (&'static str, String) {
        loop {
            let lost = failures(&self.0.vital).into_iter().next();
            if let Some(lost) = lost {
                return lost;
            }
            tokio::time::sleep(VITAL_EVERY).await;
        }
    }

    /// Adds something to be said at every `/readyz` that does not make the process unready: it goes on, and somebody should look.
    pub fn warn(&self, name: &'static str, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        self.0.warnings.write().unwrap_or_else(PoisonError::into_inner).push((name, Box::new(check)));
    }

    /// What is not well although the process is ready.
    pub fn warnings(&self) -> Map<String, Value> {
        let warnings = self.0.warnings.read().unwrap_or_else(PoisonError::into_inner);
        let said = warnings.iter().filter_map(|(name, check)| Some(((*name).to_owned(), check().err()?.into())));
        said.collect()
    }

    /// From now on not ready: the process is about to stop.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// The checks that fail, with their reasons.
    pub fn failing(&self) -> Vec<(&'static str, String)> {
        let mut failing = Vec::new();
        if self.0.draining.load(Ordering::Relaxed) {
            failing.push(("draining", "the process is stopping".to_owned()));
        }
        failing.extend(failures(&self.0.vital));
        failing.extend(failures(&self.0.checks));
        failing
    }
}

fn failures(checks: &RwLock<Vec<(&'static str, Check)>>) -> Vec<(&'static str, String)> {
    let checks = checks.read().unwrap_or_else(PoisonError::into_inner);
    checks.iter().filter_map(|(name, check)| Some((*name, check().err()?))).collect()
}

pub(crate) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "alive"}))
}

pub(crate) async fn readyz(health: web::Data<Health>) -> HttpResponse {
    let failing = health.failing();
    let warnings = health.warnings();
    if failing.is_empty() && warnings.is_empty() {
        return HttpResponse::Ok().json(json!({"status": "ready"}));
    }
    if failing.is_empty() {
        return HttpResponse::Ok().json(json!({"status": "ready", "warnings": warnings}));
    }
    let failing: Map<_, _> = failing.into_iter().map(|(name, reason)| (name.to_owned(), reason.into())).collect();
    HttpResponse::ServiceUnavailable().json(json!({"status": "not-ready", "failing": failing}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failing_check_is_named() {
        let health = Health::new();
        health.check("good", || Ok(()));
        assert!(health.failing().is_empty());
        health.check("broker", || Err("not connected".to_owned()));
        health.drain();
        let names: Vec<_> = health.failing().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["draining", "broker"]);
    }

    #[tokio::test]
    async fn what_is_vital_is_a_check_too_and_is_waited_for() {
        let (health, failed) = (Health::new(), Arc::new(AtomicBool::new(false)));
        let known = Arc::clone(&failed);
        health.vital("store", move || if known.load(Ordering::Relaxed) { Err("stopped".to_owned()) } else { Ok(()) });
        let waiting = tokio::spawn({
            let health = health.clone();
            async move { health.lost().await }
        });
        assert!(health.failing().is_empty());
        failed.store(true, Ordering::Relaxed);
        assert_eq!(health.failing(), [("store", "stopped".to_owned())]);
        assert_eq!(waiting.await.expect("ends"), ("store", "stopped".to_owned()));
    }

    #[test]
    fn a_warning_is_said_and_fails_nothing() {
        let health = Health::new();
        health.warn("registry", || Err("40 s old".to_owned()));
        health.warn("well", || Ok(()));
        assert!(health.failing().is_empty());
        assert_eq!(Value::Object(health.warnings()), json!({"registry": "40 s old"}));
    }
}
