//! What runs the mesh in containers: the compose file, the broker's configuration, the keys.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dsom::mesh::logins;
use serde_json::{Value, json};
use testkit::{NatsConfig, NatsServer, Process, binary, free_port};

use crate::go::Program;
use crate::world::{MESH, PUBLISHED, calm_turn, until};

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
    let image = "nats:2.15.1-alpine";
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    for pinned in [format!("{image}@{digest}"), format!("nats@{digest}")] {
        std::fs::write(&copy, text.replacen(image, &pinned, 1)).expect("written");
        composecheck.accepts(&[&copy]);
    }
    for (from, to, why) in [
        (image, "nats:latest", "not pinned"),
        (image, "nats", "not pinned"),
        (image, &format!("nats:latest@{digest}"), "not pinned"),
        (image, &format!("{image}@{digest}0"), "not pinned"),
        (image, "nats@sha256:abc", "not pinned"),
        ("--commitlog-sync, batch", "--commitlog-sync, periodic", "is not on the disk"),
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
        ("nats://sandbox-nats:4222", "nats://nats:4222", "DSOM_CHAINING_NATS_URL is the market's"),
        ("DSOM_INGEST_SCYLLA_KEYSPACE: dsom_sandbox_ingest\n", "\n", "no keyspace of its own"),
        ("      DSOM_INGEST_ENV: test\n", "", "DSOM_INGEST_ENV is the market's"),
        ("/test/jwks.json", "/jwks.json", "_JWKS is the market's"),
        ("keys/sandbox-log.key", "keys/log.key", "_LOG_KEY is the market's"),
        (
            "REGISTRY_NATS_URL: nats://nats",
            "REGISTRY_NATS_URL: nats://sandbox-nats",
            "is not where the market's register is",
        ),
        ("      - sandbox-nats:/data", "      - nats:/data", "writes to the market's volume"),
        ("sandbox-nats-chaining.nk", "nats-chaining.nk", "CHAINING_NATS_NKEY_FILE is the market's"),
        ("keys/nats-reader.nk", "keys/nats-chaining.nk", "_REGISTRY_NATS_NKEY_FILE is a key of the market's"),
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
    let accounts = "include ./accounts.conf\n";
    assert!(shipped.contains(accounts) && made.contains(accounts));
    let data = dir.path().display().to_string();
    assert!(run("dsom", &["keys", "--data", &data], &[("DSOM_PRODUCTION", "false")]).status.success());
    for (in_sandbox, world) in [(false, dir.path().to_owned()), (true, dir.path().join("sandbox"))] {
        let folder = world.join("nats");
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(&path, folder.join("nats.conf")).expect("copied");
        let check = |accounts: &str| {
            std::fs::write(folder.join("accounts.conf"), accounts).expect("written");
            let mut check = Command::new(dsom::mesh::nats::find().expect("nats-server"));
            check.arg("-t").arg("-c").arg(folder.join("nats.conf")).env("SERVER_NAME", "dsom");
            check.output().expect("nats-server runs")
        };
        let out = check(logins::accounts(in_sandbox));
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        // Somebody whose key is not there is not left out: the server does not start.
        assert!(!check(&logins::accounts(in_sandbox).replace("$ADMIN", "$NOBODY")).status.success());
    }
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

/// The lines of the compose file below a key, which is given with what stands before it on its line.
fn below<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let is_it = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let after = text.lines().skip_while(|line| !is_it(line)).skip(1);
    let lines: Vec<&str> = after.take_while(|line| line.trim().is_empty() || depth(line) > depth(key)).collect();
    assert!(!lines.is_empty(), "the compose file has no {key}");
    lines
}

/// What the compose file gives a service, with the keys in another folder. Its store is a folder that it is not told. A service of
/// the sandbox has what the market's has, but for what it says itself.
fn settings(service: &str, keys: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("docker-compose.yml")).expect("the compose file");
    let mut settings = BTreeMap::new();
    for of in service.strip_prefix("sandbox-").into_iter().chain([service]) {
        let mut lines = below(&text, &format!("  {of}"));
        if lines.iter().any(|line| line.contains("*people")) {
            lines.splice(0..0, below(&text, "x-people"));
        }
        for line in lines {
            let Some((name, value)) = line.trim().split_once(": ").filter(|(name, _)| name.starts_with("DSOM_")) else {
                continue;
            };
            // Of ${NAME:-default} the default.
            let given = value.strip_prefix("${").and_then(|value| value.strip_suffix('}'));
            let value = given.map_or(value, |given| given.split_once(":-").expect("a default").1);
            settings.insert(name.to_owned(), value.replace("/var/lib/dsom", &keys.display().to_string()));
        }
    }
    assert!(settings.len() >= 10, "the compose file gives {service} {settings:?}");
    settings.retain(|name, _| !name.ends_with("_STORE") && !name.contains("_SCYLLA_") && name != "DSOM_PRODUCTION");
    settings.into_iter().collect()
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
        ("ingest", ["RECEIPT_KEY", "RECEIPT_ISSUER"]),
        ("chaining", ["LOG_KEY", "LOG_ORIGIN"]),
        ("licensing", ["TOKEN_KEY", "CONFORMANCE_CHECKLISTS"]),
    ] {
        let (program, variable) = (format!("dsom-{service}"), format!("DSOM_{}", service.to_uppercase()));
        let settings = settings(service, dir.path());
        for asks in [("DSOM_PRODUCTION", "true"), ("DSOM_INGEST_ENV", "live")] {
            if asks.1 == "live" && service != "ingest" {
                continue;
            }
            let said = refusal(&run(&program, &[], &[&borrowed(&settings)[..], &[asks]].concat()));
            for name in own {
                assert!(said.contains(&format!("{variable}_{name} is ")), "{name}: {said}");
            }
            assert!(said.contains("dsom keys --production"), "{said}");
        }
        let said =
            refusal(&run(&program, &[], &[&borrowed(&settings)[..], &[("DSOM_PRODUCTION", "perhaps")]].concat()));
        assert!(said.contains("not true or false"), "{said}");
        let less: Vec<_> = settings.iter().filter(|(name, _)| !name.ends_with(own[0])).cloned().collect();
        let said = refusal(&run(&program, &[], &borrowed(&less)));
        assert!(said.contains(&format!("{variable}_{} is not set; `dsom keys` makes one", own[0])), "{said}");
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
        [("ingest", "data_dir is not set"), ("chaining", "issuer.jwks.json"), ("licensing", "issuer.jwks.json")]
    {
        let program = format!("dsom-{service}");
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
        if service != "ingest" {
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

/// The services as the compose file sets them up, without the containers: its names and folders become those of this machine.
struct Composed {
    dir: tempfile::TempDir,
    /// From the names in the compose file to addresses here.
    hosts: Vec<(String, String)>,
    running: Vec<Process>,
    // Stopped after what is connected to them.
    _brokers: [NatsServer; 2],
}

/// A server that lets in those whose keys are in a folder.
fn broker(dir: &Path, in_sandbox: bool) -> NatsServer {
    let users = dir.join(if in_sandbox { "sandbox/nats-users/users.conf" } else { "nats-users/users.conf" });
    let users = std::fs::read_to_string(users).expect("what `dsom keys` has written");
    let accounts = logins::accounts(in_sandbox).replace("include ../nats-users/users.conf", &users);
    NatsServer::start_with(&NatsConfig { more: accounts, ..NatsConfig::default() })
}

impl Composed {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let data = dir.path().display().to_string();
        assert!(run("dsom", &["keys", "--data", &data], &[("DSOM_PRODUCTION", "false")]).status.success());
        let brokers = [false, true].map(|in_sandbox| broker(dir.path(), in_sandbox));
        let [market, sandbox] = &brokers;
        let hosts = vec![
            ("nats://nats:4222".to_owned(), market.url()),
            ("http://nats:8222".to_owned(), market.monitor_url()),
            ("nats://sandbox-nats:4222".to_owned(), sandbox.url()),
            ("http://sandbox-nats:8222".to_owned(), sandbox.monitor_url()),
            ("http://licensing:7103".to_owned(), format!("http://127.0.0.1:{}", free_port())),
        ];
        Self { dir, hosts, running: Vec::new(), _brokers: brokers }
    }

    /// The keys' folder is in it, and what the services write.
    fn dir(&self) -> String {
        self.dir.path().display().to_string()
    }

    /// Starts a service and waits until it is ready; gives its address.
    async fn start(&mut self, name: &str) -> String {
        let service = name.trim_start_matches("sandbox-");
        let own = format!("http://{name}:");
        let known = self.hosts.iter().find(|(host, _)| host.starts_with(&own)).map(|(_, here)| here.clone());
        let url = known.unwrap_or_else(|| format!("http://127.0.0.1:{}", free_port()));
        let mut program = Command::new(binary(&format!("dsom-{service}")));
        program.env_clear().env("DSOM_PRODUCTION", "false");
        for (variable, mut value) in settings(name, self.dir.path()) {
            for (host, here) in &self.hosts {
                value = value.replace(host, here);
            }
            match variable.ends_with("_LISTEN") {
                true => program.env(variable, url.trim_start_matches("http://")),
                false => program.env(variable, value),
            };
        }
        program.env(format!("DSOM_{}_DATA_DIR", service.to_uppercase()), self.dir.path().join(name));
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.running.push(Process::spawn(&mut program, MESH));
        until(&format!("{name} to be ready"), MESH, || async {
            let answer = reqwest::get(format!("{url}/readyz")).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
        url
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_services_of_the_compose_file_are_two_worlds_with_one_register() {
    let _turn = calm_turn().await;
    let mut composed = Composed::new();
    let licensing = composed.start("licensing").await;
    let operator = "13013f29-b9df-4b82-ad28-e51596b7e0b4";
    let token = |more: &[&str]| {
        let dir = composed.dir();
        let asked = [&["token", "--data", &dir, "--licensing", &licensing, "--operator", operator], more].concat();
        let out = run("dsom", &asked, &[]);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).expect("UTF-8").trim().to_owned()
    };
    let tokens = [token(&[]), token(&["--sandbox"])];
    let record = json!({
        "seq": 1, "id": uuid::Uuid::new_v4(), "type": "wager", "at": "2026-10-24T18:00:29.498Z", "amount": 100,
        "currency": "UAH", "channel": "web", "vertical": "table", "game": "delta.roulette-eu", "round": "1",
    });
    let client = reqwest::Client::new();
    let mut seen = Vec::new();
    for (prefix, mine, other) in [("", &tokens[0], &tokens[1]), ("sandbox-", &tokens[1], &tokens[0])] {
        let chaining = composed.start(&format!("{prefix}chaining")).await;
        let ingest = composed.start(&format!("{prefix}ingest")).await;
        let post = async |token: &str| {
            let request = client.post(format!("{ingest}/v1/streams/0/batches")).bearer_auth(token).json(&record);
            request.send().await.expect("answers")
        };
        assert_eq!(post(other).await.status(), 401);
        let answer = post(mine).await;
        assert_eq!(answer.status(), 201);
        let receipt: Value = answer.json().await.expect("a receipt");
        let checkpoint = until("a checkpoint", PUBLISHED, || async {
            let answer = client.get(format!("{chaining}/log/checkpoint")).send().await.ok()?;
            answer.error_for_status().ok()?.text().await.ok()
        })
        .await;
        let origin = checkpoint.lines().next().unwrap_or_default().to_owned();
        let keys = client.get(format!("{ingest}/v1/receipt-keys")).send().await.expect("answers");
        let keys = keys.json::<Value>().await.expect("a JWK Set")["keys"][0]["kid"].clone();
        seen.push((receipt["claims"]["env"].clone(), receipt["claims"]["iss"].clone(), keys, origin));
    }
    let [market, sandbox] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((&market.0, &sandbox.0), (&json!("live"), &json!("test")));
    assert!(market.1 != sandbox.1 && market.2 != sandbox.2 && market.3 != sandbox.3, "{seen:?}");
}
