//! The licensing process.

fn main() -> std::process::ExitCode {
    licensing::main()
}
