//! The chaining process.

fn main() -> std::process::ExitCode {
    chaining::main()
}
