//! The chaining process: reads its configuration, starts, waits for a signal, stops; or checks a store that nobody serves;
//! or brings its schema up to date, or moves chains and log to a CQL server.

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, rest)) if first == "fsck" => chaining::fsck::offline::main(rest),
        Some((first, _)) if first == "migrate" => runtime::once("chaining", chaining::storage::migrate),
        Some((first, [vkey])) if first == "transfer" => chaining::transfer::main(vkey.clone()),
        _ => runtime::main("chaining", |config| async {
            chaining::start(config).await.map(chaining::Running::into_parts)
        }),
    }
}
