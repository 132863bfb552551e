//! The ingest process.

fn main() -> std::process::ExitCode {
    ingest::main()
}
