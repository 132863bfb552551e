//! The chaining process: reads its configuration, starts, waits for a signal, stops.

fn main() -> std::process::ExitCode {
    runtime::main("chaining", |config| async { chaining::start(config).await.map(chaining::Running::into_parts) })
}
