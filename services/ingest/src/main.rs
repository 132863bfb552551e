//! The ingest process: reads its configuration, starts, waits for a signal, stops; or
//! brings its schema up to date, or moves its index to a CQL server.

fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("migrate") => runtime::once("ingest", ingest::storage::migrate),
        Some("transfer") => ingest::transfer::main(),
        _ => runtime::main("ingest", |config| async { ingest::start(config).await.map(ingest::Running::into_parts) }),
    }
}
