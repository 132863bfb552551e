//! What runs the mesh in containers: the compose file, the broker's configuration, the keys.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use testkit::binary;

use crate::go::Program;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_compose_file_is_whole_and_hardened() {
    let Some(composecheck) = Program::build("composecheck") else { return };
    let file = root().join("docker-compose.yml");
    composecheck.accepts(&[&file]);
    let text = std::fs::read_to_string(&file).expect("the compose file");
    let dir = tempfile::tempdir().expect("a temporary folder");
    // What it points to is found from its folder.
    std::os::unix::fs::symlink(root().join("k8s").canonicalize().expect("k8s"), dir.path().join("k8s"))
        .expect("a link");
    let copy = dir.path().join("docker-compose.yml");
    std::fs::write(&copy, &text).expect("written");
    composecheck.accepts(&[&copy]);
    for (from, to, why) in [
        ("nats:2.15.1-alpine", "nats:latest", "not pinned"),
        ("nats:2.15.1-alpine", "nats", "not pinned"),
        ("read_only: true", "read_only: false", "can be written"),
        ("user: scylla:scylla", "user: root", "runs as \"root\""),
        ("    user: scylla:scylla\n", "", "runs as \"\""),
        ("127.0.0.1:7110:3000", "7110:3000", "is open on"),
        ("cap_drop: [ALL]", "cap_drop: [NET_RAW]", "give all capabilities away"),
        ("no-new-privileges:true", "no-new-privileges:false", "gain privileges"),
        ("\"http://127.0.0.1:7102\"]", "\"http://127.0.0.1:7102\"]\n      disable: true", "no health check"),
        ("scylla: {condition: service_healthy}", "scylla: {condition: service_started}", "does not wait"),
        ("licensing: {condition: service_healthy}", "licensing: {condition: service_started}", "does not wait"),
        ("migrate: {condition", "nobody: {condition", "nobody"),
        ("/nats.conf:ro", "/nats.conf", "can be written from inside"),
        ("./k8s/base/nats/nats.conf", "./k8s/base/nats/no.conf", "no such file"),
        ("HOME: /tmp", "HOME: /tmp\n      GF_SECURITY_ADMIN_PASSWORD: admin", "is a secret and has a value"),
        ("    restart: \"no\"\n    command: [keys]", "    restart: always\n    command: [keys]", "goes on"),
        ("services:\n", "servces:\n", "servces"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from} is not there");
        std::fs::write(&copy, changed).expect("written");
        let said = composecheck.refuses(&[&copy]);
        assert!(said.contains(why), "{from} -> {to}: {said}");
    }
}

/// The value of a setting in a `nats.conf`.
fn setting<'a>(conf: &'a str, name: &str) -> &'a str {
    let line = conf.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("{name} is not set")).trim()
}

#[test]
fn the_broker_is_configured_as_by_dsom_up() {
    let path = root().join("k8s/base/nats/nats.conf");
    let shipped = std::fs::read_to_string(&path).expect("nats.conf");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = dsom::mesh::Addresses { ingest: 0, chaining: 0, nats: 0, nats_monitor: 0 };
    let made = dsom::mesh::nats::config("nats", dir.path(), at);
    for name in ["max_payload", "max_pending", "sync_interval", "max_memory_store"] {
        assert_eq!(setting(&shipped, name), setting(&made, name), "{name}");
    }
    let server = dsom::mesh::nats::find().expect("nats-server");
    let mut check = Command::new(server);
    let out = check.arg("-t").arg("-c").arg(&path).env("SERVER_NAME", "dsom").output().expect("nats-server runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}

/// Runs one of our programs with an environment of its own.
fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(binary(program));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.stdin(Stdio::null()).output().expect("it runs")
}

/// What a program says that must end badly.
fn refusal(out: &Output) -> String {
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(!out.status.success(), "it went on: {said}");
    said
}

/// What the compose file gives a service of itself, with the keys in another folder. Its store is a folder that it is not told.
fn settings(service: &str, keys: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).expect("the compose file");
    let own = format!("DSOM_{service}_");
    let knows_people = service != "INGEST";
    let mut settings = Vec::new();
    for line in text.lines() {
        let Some((name, value)) = line.trim().split_once(": ") else { continue };
        let is_about = name.starts_with(&own) || knows_people && name.starts_with("DSOM_OIDC_");
        if !is_about {
            continue;
        }
        // Of ${NAME:-default} the default.
        let given = value.strip_prefix("${").and_then(|value| value.strip_suffix('}'));
        let value = given.map_or(value, |given| given.split_once(":-").expect("a default").1);
        settings.push((name.to_owned(), value.replace("/var/lib/dsom", &keys.display().to_string())));
    }
    assert!(settings.len() >= 10, "the compose file gives {service} {settings:?}");
    settings.retain(|(name, _)| !name.ends_with("_STORE") && !name.ends_with("_SCYLLA_NODES"));
    settings
}

fn borrowed(settings: &[(String, String)]) -> Vec<(&str, &str)> {
    settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

#[test]
fn production_refuses_what_is_for_development_and_names_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let data = dir.path().display().to_string();
    assert!(run("dsom", &["keys", "--data", &data], &[("DSOM_PRODUCTION", "false")]).status.success());
    for (service, own) in [
        ("INGEST", ["RECEIPT_KEY", "RECEIPT_ISSUER"]),
        ("CHAINING", ["LOG_KEY", "LOG_ORIGIN"]),
        ("LICENSING", ["TOKEN_KEY", "TEST_TOKEN_KEY"]),
    ] {
        let program = format!("dsom-{}", service.to_lowercase());
        let settings = settings(service, dir.path());
        for asks in [("DSOM_PRODUCTION", "true"), ("DSOM_INGEST_ENV", "live")] {
            if asks.1 == "live" && service != "INGEST" {
                continue;
            }
            let said = refusal(&run(&program, &[], &[&borrowed(&settings)[..], &[asks]].concat()));
            for name in own {
                assert!(said.contains(&format!("DSOM_{service}_{name} is ")), "{name}: {said}");
            }
            assert!(said.contains("dsom keys --production"), "{said}");
        }
        let said =
            refusal(&run(&program, &[], &[&borrowed(&settings)[..], &[("DSOM_PRODUCTION", "perhaps")]].concat()));
        assert!(said.contains("not true or false"), "{said}");
        let less: Vec<_> = settings.iter().filter(|(name, _)| !name.ends_with(own[0])).cloned().collect();
        let said = refusal(&run(&program, &[], &borrowed(&less)));
        assert!(said.contains(&format!("DSOM_{service}_{} is not set; `dsom keys` makes one", own[0])), "{said}");
    }
}

#[test]
fn production_keys_are_made_on_demand_only_and_taken() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let data = dir.path().display().to_string();
    let production = [("DSOM_PRODUCTION", "true")];
    let said = refusal(&run("dsom", &["keys", "--data", &data], &production));
    assert!(said.contains("DSOM_KEYS") && said.contains("dsom keys --production"), "{said}");
    assert_eq!(std::fs::read_dir(dir.path().join("keys")).expect("a folder").count(), 0);

    let origin = "log.regulator.example/dsom";
    let make = ["keys", "--data", &data, "--origin", origin];
    let said = refusal(&run("dsom", &make, &[]));
    assert!(said.contains("--production"), "{said}");
    let made = run("dsom", &make, &production);
    assert!(String::from_utf8_lossy(&made.stdout).starts_with(&format!("{origin}+")), "{made:?}");
    assert!(run("dsom", &["keys", "--data", &data], &production).status.success(), "now they are there");
    let other = ["keys", "--data", &data, "--production", "--origin", "log.regulator.example/other"];
    assert!(refusal(&run("dsom", &other, &[])).contains("another log"));

    // What lies beside them is the regulator's to put there.
    std::fs::write(dir.path().join("keys/conformance.jwks.json"), r#"{"keys":[]}"#).expect("written");
    // Taken: what fails next is named.
    for (service, next) in
        [("INGEST", "data_dir is not set"), ("CHAINING", "issuer.jwks.json"), ("LICENSING", "issuer.jwks.json")]
    {
        let program = format!("dsom-{}", service.to_lowercase());
        let own: Vec<_> = settings(service, dir.path())
            .into_iter()
            .map(|(name, value)| (name, value.replace("dsom.localhost/log", origin)))
            .map(|(name, value)| match name.ends_with("_ISSUER") {
                true => (name, value.replace("http://", "https://")),
                false => (name, value),
            })
            .map(|(name, value)| match name.starts_with("DSOM_OIDC_") {
                true => (name, value),
                false => (name, value.replace("dsom.localhost", "dsom.example")),
            })
            .collect();
        if service != "INGEST" {
            let said = refusal(&run(&program, &[], &[&borrowed(&own)[..], &production].concat()));
            assert!(said.contains("this is production, and DSOM_OIDC_ISSUER is "), "{said}");
        }
        let own: Vec<_> =
            own.into_iter().map(|(name, value)| (name, value.replace("dsom.localhost", "dsom.example"))).collect();
        let said = refusal(&run(&program, &[], &[&borrowed(&own)[..], &production].concat()));
        assert!(said.contains(next) && !said.contains("this is production"), "{service}: {said}");
    }

    let developers = tempfile::tempdir().expect("a temporary folder");
    let data = developers.path().display().to_string();
    assert!(run("dsom", &["keys", "--data", &data], &[]).status.success());
    assert!(refusal(&run("dsom", &["keys", "--data", &data], &production)).contains("for development"));
}
