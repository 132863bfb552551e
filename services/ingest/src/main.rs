//! The ingest process: reads its configuration, starts, waits for a signal, stops.

fn main() -> std::process::ExitCode {
    runtime::main("ingest", |config| async { ingest::start(config).await.map(ingest::Running::into_parts) })
}
