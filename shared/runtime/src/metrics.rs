//! `/metrics`: everything counted through OpenTelemetry's global meter, and the process itself, for Prometheus.

use std::sync::OnceLock;

use actix_web::HttpResponse;
use contracts::problems::Code;
use opentelemetry::global;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder, Registry, TextEncoder};

use crate::{ApiError, Health};

static REGISTRY: OnceLock<Registry> = OnceLock::new();

/// Makes the process's meters end in the Prometheus registry. What is counted before is lost, so call it first; again does nothing.
pub fn install() {
    REGISTRY.get_or_init(|| {
        let registry = Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_target_info()
            .without_units()
            .build();
        match exporter {
            Ok(exporter) => {
                global::set_meter_provider(SdkMeterProvider::builder().with_reader(exporter).build());
                watch_process();
            }
            Err(error) => tracing::error!(%error, "metrics are not exported"),
        }
        registry
    });
}

/// Shows whether the process is ready: what `/readyz` says, over time.
pub(crate) fn watch(health: &Health) {
    let health = health.clone();
    global::meter("dsom_runtime")
        .u64_observable_gauge("dsom_ready")
        .with_description("1 while every check of /readyz is good, else 0.")
        .with_callback(move |seen| seen.observe(u64::from(health.failing().is_empty()), &[]))
        .build();
}

pub(crate) async fn page() -> Result<HttpResponse, ApiError> {
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    if let Some(registry) = REGISTRY.get() {
        encoder
            .encode(&registry.gather(), &mut text)
            .map_err(|_| ApiError::new(Code::Internal, "metrics can't be written"))?;
    }
    Ok(HttpResponse::Ok().content_type(encoder.format_type()).body(text))
}

fn watch_process() {
    let meter = global::meter("process");
    meter
        .u64_observable_gauge("process_resident_memory_bytes")
        .with_description("Resident memory size in bytes.")
        .with_callback(|seen| resident_bytes().into_iter().for_each(|bytes| seen.observe(bytes, &[])))
        .build();
    meter
        .f64_observable_counter("process_cpu_seconds")
        .with_description("User and system CPU time spent, in seconds.")
        .with_callback(|seen| cpu_seconds().into_iter().for_each(|seconds| seen.observe(seconds, &[])))
        .build();
    meter
        .u64_observable_gauge("process_open_fds")
        .with_description("Open file descriptors.")
        .with_callback(|seen| open_files().into_iter().for_each(|files| seen.observe(files, &[])))
        .build();
}

// proc(5). Where there is no /proc the metrics are missing, as Prometheus's own clients do.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(kib.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in brackets, may hold spaces: utime and stime are the 12th and 13th after it, in ticks of 1/100 s.
    let mut after_name = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = after_name.next()?.parse::<f64>().ok()? + after_name.next()?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

fn open_files() -> Option<u64> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn the_process_is_seen() {
        assert!(super::resident_bytes().is_some_and(|bytes| bytes > 1 << 20));
        assert!(super::cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
        assert!(super::open_files().is_some_and(|files| files >= 3));
    }
}
