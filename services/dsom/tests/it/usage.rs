//! Help and exit codes.

use std::process::{Command, Stdio};

use clap::CommandFactory as _;

use crate::said;

const COMMANDS: &[&[&str]] = &[
    &["up"],
    &["token"],
    &["keys"],
    &["operator"],
    &["licence"],
    &["site"],
    &["register"],
    &["rehearse"],
    &["conformance"],
    &["send"],
    &["simulate"],
    &["bench"],
    &["fsck"],
    &["health"],
    &["verify"],
    &["verify", "proof"],
    &["verify", "signature"],
    &["verify", "receipt"],
    &["verify", "export"],
    &["verify", "log"],
];

#[test]
fn every_command_has_help_with_an_example() {
    for command in COMMANDS {
        let (code, text) = said(&[*command, &["--help"]].concat());
        assert_eq!(code, 0, "{command:?}");
        let line = format!("  dsom {}", command.join(" "));
        let (_, example) = text.split_once("Example").unwrap_or_else(|| panic!("{command:?}: {text}"));
        assert!(
            example.contains(&line) || example.contains(&format!("$(dsom {}", command.join(" "))),
            "{command:?}: {text}"
        );
    }
}

#[test]
fn every_argument_says_what_it_is() {
    fn look(command: &clap::Command, dumb: &mut Vec<String>) {
        let silent = command.get_arguments().filter(|argument| argument.get_help().is_none());
        dumb.extend(silent.map(|argument| format!("{} {}", command.get_name(), argument.get_id())));
        command.get_subcommands().for_each(|command| look(command, dumb));
    }
    let (command, mut dumb) = (dsom::commands::Arguments::command(), Vec::new());
    look(&command, &mut dumb);
    assert!(command.get_subcommands().count() > 10 && dumb.is_empty(), "{dumb:?}");
}

#[test]
fn wrong_usage_ends_with_2() {
    let empty = tempfile::tempdir().expect("a folder");
    let dir = empty.path().display().to_string();
    for arguments in [
        &["no-such-command"][..],
        &["token", "--operator", "nobody"],
        &["token", "--data", &dir, "--person", "clerk-1"],
        &["token", "--data", &dir, "--person", "clerk-1", "--role", "clerk"],
        &["send", "--data", &dir, "not-named-after-a-stream.txt"],
        &["send", "--data", &dir, "--give-up-after", "0", "13013f29-b9df-4b82-ad28-e51596b7e0b4.0.ndjson"],
        &["fsck", "--data", &dir],
        &["fsck", "--data", "/no/such/folder"],
        &["health", "no address"],
        &["operator", "key-request", "13013f29-b9df-4b82-ad28-e51596b7e0b4", "--pem", "k.pem", "--env", "prod"],
        &["register", "--data", &dir, "--as-of", "yesterday"],
        &["verify", "proof", "/no/such/file", "--vkey", "not a key"],
        &[
            "verify",
            "log",
            "/no/such/folder",
            "--vkey",
            "log.example/dsom+88e05b53+AZKObnctDtK+drDNYn9XNIVBJAPsdS8etk2uh1nHwt56",
        ],
    ] {
        let (code, text) = said(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
    }
}

#[test]
fn what_can_t_be_reached_ends_with_3() {
    let empty = tempfile::tempdir().expect("a folder");
    let dir = empty.path().display().to_string();
    // Nothing listens on port 1.
    let vkey = "log.example/dsom+88e05b53+AZKObnctDtK+drDNYn9XNIVBJAPsdS8etk2uh1nHwt56";
    for arguments in [
        &["send", "--data", &dir, "13013f29-b9df-4b82-ad28-e51596b7e0b4.0.ndjson"][..],
        &["simulate", "--data", &dir],
        &["token", "--data", &dir, "--operator", "13013f29-b9df-4b82-ad28-e51596b7e0b4"],
        &["health", "http://127.0.0.1:1"],
        &["health", "--ready", "http://127.0.0.1:1/"],
        &["verify", "log", "http://127.0.0.1:1/log", "--vkey", vkey],
    ] {
        let (code, text) = said(arguments);
        assert_eq!(code, 3, "{arguments:?}: {text}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure_and_a_full_disk_is_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    let keys = |out: Stdio| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dsom"));
        let ran = command.args(["keys", "--data", &dir]).stdout(out).output().expect("dsom runs");
        (ran.status.code().expect("an exit code"), String::from_utf8_lossy(&ran.stderr).into_owned())
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(keys(writer.into()), (0, String::new()));
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let (code, said) = keys(full.into());
    assert!(code == 1 && said.starts_with("dsom: could not write to standard output: "), "{code} {said}");
}

#[test]
fn the_folder_of_the_mesh_is_named_before_or_after_what_is_to_be_done() {
    let empty = tempfile::tempdir().expect("a folder");
    let dir = empty.path().display().to_string();
    let id = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    let first = said(&["operator", "--data", &dir, "confirm", id, id]);
    assert!(first.1.contains(&dir), "it looks there: {first:?}");
    assert_eq!(said(&["operator", "confirm", id, id, "--data", &dir]), first);
}

#[test]
fn what_reads_the_register_takes_a_moment() {
    let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    for arguments in [
        &["operator", "list"][..],
        &["operator", "show", operator],
        &["operator", "history", operator],
        &["operator", "proposals"],
        &["site", "show", "casino.example"],
        &["site", "search"],
        &["site", "history"],
        &["site", "proposals"],
        &["site", "proposals", operator],
        &["register"],
    ] {
        // Nothing listens on port 1: it is understood, and asked there.
        let at = ["--as-of", "2026-11-23T08:00:00Z", "--licensing", "http://127.0.0.1:1", "--token", "x"];
        // What everybody may read takes no token.
        let at = if arguments == ["register"] { &at[..4] } else { &at[..] };
        let (code, text) = said(&[arguments, at].concat());
        assert_eq!(code, 3, "{arguments:?}: {text}");
        assert!(text.contains("as_of=2026-11-23T08%3A00%3A00Z"), "{arguments:?}: {text}");
    }
}
