//! Help and exit codes.

use crate::said;

const COMMANDS: &[&[&str]] = &[
    &["up"],
    &["token"],
    &["keys"],
    &["operator"],
    &["licence"],
    &["site"],
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
fn what_reads_the_register_takes_a_moment() {
    let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    for arguments in [
        &["operator", "list"][..],
        &["operator", "show", operator],
        &["operator", "history", operator],
        &["operator", "proposals"],
        &["site", "show", "casino.example"],
        &["site", "proposals"],
    ] {
        // Nothing listens on port 1: it is understood, and asked there.
        let at = ["--as-of", "2026-11-23T08:00:00Z", "--licensing", "http://127.0.0.1:1", "--token", "x"];
        let (code, text) = said(&[arguments, &at].concat());
        assert_eq!(code, 3, "{arguments:?}: {text}");
        assert!(text.contains("as_of=2026-11-23T08%3A00%3A00Z"), "{arguments:?}: {text}");
    }
}
