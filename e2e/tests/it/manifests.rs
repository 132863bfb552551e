//! What `k8s/` says, built with kustomize, held against the schemas of Kubernetes and against our own rules.

mod arrows;
mod pods;
mod rules;
mod tools;

use serde_json::{Value, json};

use arrows::{COMMON, PROD};
use tools::Tools;

/// Manifests with one value changed.
fn broken(documents: &[Value], kind: &str, name: &str, pointer: &str, value: &Value) -> Vec<Value> {
    let mut documents = documents.to_vec();
    // The names of generated ConfigMaps end with a hash.
    let is_it = |rest: &str| rest.is_empty() || kind == "ConfigMap" && rest.starts_with('-');
    let meant = |document: &&mut Value| {
        document["kind"] == kind
            && document["metadata"]["name"].as_str().and_then(|own| own.strip_prefix(name)).is_some_and(is_it)
    };
    let mut changed = 0;
    for document in documents.iter_mut().filter(meant) {
        let (place, last) = pointer.rsplit_once('/').expect("a pointer");
        match document.pointer_mut(place).unwrap_or_else(|| panic!("{kind} {name} has no {pointer}")) {
            Value::Object(object) if value.is_null() => drop(object.remove(last).expect("it is there")),
            Value::Object(object) => drop(object.insert(last.to_owned(), value.clone())),
            Value::Array(array) if last == "-" => array.push(value.clone()),
            Value::Array(array) => array[last.parse::<usize>().expect("an index")] = value.clone(),
            other => panic!("{other} has no {last}"),
        }
        changed += 1;
    }
    assert!(changed > 0, "no {kind} {name}");
    documents
}

fn read(tools: &Tools, overlay: &str) -> Vec<Value> {
    tools.documents(&tools.build(overlay)).unwrap_or_else(|why| panic!("overlays/{overlay}:\n{why}"))
}

/// What is wrong with a production and its sandbox.
fn of_production(market: &[Value], sandbox: &[Value]) -> Vec<String> {
    let mut findings = rules::findings(market);
    findings.extend(rules::findings(sandbox));
    findings.extend(rules::of_sandbox(market, sandbox));
    findings.extend(arrows::findings(&[market, sandbox].concat(), &[COMMON, PROD].concat()));
    findings
}

#[test]
fn the_overlays_are_valid_and_keep_our_rules() {
    let Some(tools) = Tools::get() else { return };
    let dev = read(tools, "dev");
    let mut findings = rules::findings(&dev);
    findings.extend(arrows::findings(&dev, COMMON));
    findings.extend(of_production(&read(tools, "prod"), &read(tools, "sandbox")));
    assert!(findings.is_empty(), "{} to mend:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn what_no_schema_knows_is_refused() {
    let Some(tools) = Tools::get() else { return };
    let good = tools.build("prod");
    for (from, to, said) in [
        ("podManagementPolicy:", "podManagementPolicies:", "podManagementPolicies"),
        ("containerPort: 7101", "containerPort: \"7101\"", "7101"),
        ("agentVersion: 3.10.1", "agentVersion: latest", "latest"),
        ("kind: ScyllaCluster", "kind: ScyllaKluster", "Couldn't find schema"),
    ] {
        assert!(good.contains(from), "{from} is not in the overlay any more");
        let why = tools.documents(&good.replacen(from, to, 1)).expect_err(to);
        assert!(why.contains(said), "{to}: {why}");
    }
}

#[test]
fn each_broken_rule_is_found() {
    let Some(tools) = Tools::get() else { return };
    let (good, sandbox) = (read(tools, "prod"), read(tools, "sandbox"));
    let pod = "/spec/template/spec";
    let container = "/spec/template/spec/containers/0";
    let annotations = "/spec/template/metadata/annotations";
    let scraped = |port: &str, job: &str| {
        json!({
            "prometheus.io/scrape": "true", "prometheus.io/path": "/metrics", "prometheus.io/port": port, "prometheus.io/job": job,
        })
    };
    let cases = [
        ("Deployment", "ingest", format!("{container}/image"), json!("dsom:latest"), "not pinned"),
        ("Deployment", "ingest", format!("{container}/image"), json!("dsom"), "not pinned"),
        (
            "Deployment",
            "ingest",
            format!("{container}/securityContext/readOnlyRootFilesystem"),
            json!(false),
            "root file",
        ),
        ("StatefulSet", "nats", format!("{container}/securityContext/allowPrivilegeEscalation"), Value::Null, "rights"),
        ("Job", "migrate", format!("{container}/securityContext/capabilities"), json!({"drop": []}), "capabilities"),
        ("StatefulSet", "chaining", format!("{pod}/securityContext/runAsNonRoot"), json!(false), "root"),
        ("StatefulSet", "chaining", format!("{pod}/securityContext/runAsUser"), json!(0), "root"),
        ("StatefulSet", "nats", format!("{pod}/securityContext/seccompProfile"), Value::Null, "seccomp"),
        ("Job", "migrate", format!("{pod}/automountServiceAccountToken"), Value::Null, "token"),
        ("Deployment", "ingest", format!("{pod}/terminationGracePeriodSeconds"), Value::Null, "grace"),
        ("Deployment", "ingest", format!("{pod}/hostNetwork"), json!(true), "hostNetwork"),
        ("StatefulSet", "nats", format!("{pod}/topologySpreadConstraints"), json!([]), "spread"),
        ("Deployment", "ingest", format!("{container}/resources/limits"), Value::Null, "limits"),
        ("StatefulSet", "nats", format!("{container}/resources/requests/cpu"), Value::Null, "requests"),
        ("StatefulSet", "nats", format!("{container}/livenessProbe"), Value::Null, "livenessProbe"),
        ("Deployment", "ingest", format!("{container}/readinessProbe/httpGet/path"), json!("/healthz"), "/readyz"),
        ("StatefulSet", "chaining", format!("{container}/startupProbe/httpGet/path"), json!("/readyz"), "/healthz"),
        (
            "Deployment",
            "ingest",
            format!("{container}/env/-"),
            json!({"name": "X_PASSWORD", "value": "hunter2"}),
            "secret",
        ),
        ("ConfigMap", "scylla-config", "/data/key".into(), json!("PRIVATE+KEY+log+1+abc"), "secret"),
        ("ConfigMap", "scylla-config", "/kind".into(), json!("Secret"), "Secret"),
        ("ConfigMap", "scylla-config", "/data/scylla.yaml".into(), json!("authenticator: X"), "commitlog_sync"),
        (
            "ConfigMap",
            "scylla-config",
            "/data/scylla.yaml".into(),
            json!("commitlog_sync: batch\nauthenticator: PasswordAuthenticator\n"),
            "nobody can make the first role",
        ),
        ("ConfigMap", "nats", "/data/nats.conf".into(), json!("  sync_interval: always\n"), "asks nobody"),
        ("ConfigMap", "nats", "/data/accounts.conf".into(), json!("accounts {}"), "is not that of this world"),
        (
            "Deployment",
            "ingest",
            format!("{container}/env/-"),
            json!({"name": "DSOM_INGEST_NATS_NKEY_FILE", "value": ""}),
            "ingest: it has no key for NATS",
        ),
        (
            "Deployment",
            "licensing",
            annotations.to_owned(),
            Value::Null,
            "licensing: its annotation prometheus.io/scrape is not true",
        ),
        (
            "Deployment",
            "ingest",
            annotations.to_owned(),
            scraped("7102", "ingest"),
            "ingest: its annotation prometheus.io/port is not 7101",
        ),
        (
            "StatefulSet",
            "chaining",
            annotations.to_owned(),
            scraped("7102", "pods"),
            "chaining: its annotation prometheus.io/job is not chaining",
        ),
        ("Deployment", "ingest", format!("{pod}/volumes/0/secret/secretName"), json!("unheard"), "README"),
        ("Deployment", "licensing", format!("{pod}/volumes/2/configMap/name"), json!("unheard"), "no such ConfigMap"),
        (
            "Deployment",
            "licensing",
            format!("{container}/env/-"),
            json!({"name": "DSOM_LICENSING_ISSUER", "value": "https://other.example"}),
            "DSOM_INGEST_TOKEN_ISSUER is not what",
        ),
        (
            "Deployment",
            "ingest",
            format!("{container}/env/-"),
            json!({"name": "DSOM_INGEST_JWKS", "value": "http://other:7103/jwks.json"}),
            "DSOM_INGEST_JWKS is not where",
        ),
        (
            "StatefulSet",
            "chaining",
            format!("{container}/env/-"),
            json!({"name": "DSOM_OIDC_ISSUER", "value": "https://other.example"}),
            "know other people",
        ),
        (
            "Deployment",
            "licensing",
            format!("{container}/env/-"),
            json!({"name": "DSOM_OIDC_JWKS", "value": "/run/jwks.json"}),
            "DSOM_OIDC_JWKS is set",
        ),
        ("StatefulSet", "chaining", "/spec/replicas".into(), json!(4), "DSOM_CHAINING_REPLICAS"),
        ("StatefulSet", "nats", "/spec/replicas".into(), json!(2), "NATS"),
        ("PodDisruptionBudget", "nats", "/spec/selector/matchLabels".into(), json!({"app": "x"}), "disrupt"),
        ("Namespace", "dsom", "/metadata/labels".into(), json!({}), "restricted"),
        ("StatefulSet", "nats", "/spec/template/metadata/labels".into(), json!({"app": "x"}), "no NetworkPolicy"),
        ("NetworkPolicy", "ingest", "/spec/ingress/0/from".into(), Value::Null, "lets everybody"),
        ("NetworkPolicy", "ingest", "/spec/egress/-".into(), json!({}), "lets everybody"),
        ("NetworkPolicy", "nats", "/spec/ingress/0/ports".into(), Value::Null, "every port"),
        ("NetworkPolicy", "nats", "/spec/ingress/0/from/-".into(), json!({"namespaceSelector": {}}), "lets everybody"),
        ("NetworkPolicy", "nats", "/spec/ingress/0/from/-".into(), json!({"podSelector": {}}), "lets everybody"),
        (
            "NetworkPolicy",
            "nats",
            "/spec/ingress/0/from/-".into(),
            json!({"ipBlock": {"cidr": "10.0.0.0/8"}}),
            "address",
        ),
        ("NetworkPolicy", "default-deny", "/spec/policyTypes".into(), json!(["Ingress"]), "default"),
        ("NetworkPolicy", "default-deny", "/spec/podSelector".into(), json!({"matchLabels": {}}), "ScyllaCluster dsom"),
        ("NetworkPolicy", "chaining", "/spec/egress/0/ports/0/port".into(), json!(4223), "chaining -> nats:4222"),
        ("NetworkPolicy", "migrate", "/spec/egress/0/ports/0/port".into(), json!(22), "migrate -> scylla:22"),
    ];
    let mut passed = Vec::new();
    for (kind, name, pointer, value, said) in cases {
        let findings = of_production(&broken(&good, kind, name, &pointer, &value), &sandbox);
        if !findings.iter().any(|finding| finding.contains(said)) {
            passed.push(format!("{kind} {name} {pointer} = {value}: wanted {said:?}, found {findings:?}"));
        }
    }
    let of_sandbox = [
        ("ConfigMap", "shared-settings", "/data/TOKEN_AUDIENCE", json!("dsom"), "DSOM_INGEST_TOKEN_AUDIENCE is not"),
        (
            "ConfigMap",
            "shared-settings",
            "/data/REGISTRY_NATS_URL",
            json!("nats://nats-0.nats:4222"),
            "REGISTRY_NATS_URL",
        ),
        (
            "ConfigMap",
            "token-settings",
            "/data/JWKS",
            json!("http://licensing.dsom:7103/jwks.json"),
            "CHAINING_JWKS is not",
        ),
        ("ConfigMap", "ingest-settings", "/data/ENV", json!("live"), "DSOM_INGEST_ENV is not"),
        ("ConfigMap", "ingest-settings", "/data/SCYLLA_KEYSPACE", Value::Null, "DSOM_INGEST_SCYLLA_KEYSPACE is not"),
        ("ConfigMap", "chaining-settings", "/data/LOG_ORIGIN", json!("log.regulator.example/dsom"), "is the market's"),
        ("ConfigMap", "people-settings", "/data/DSOM_OIDC_AUDIENCE", json!("other"), "knows other people"),
        ("ConfigMap", "process-settings", "/data/DSOM_PRODUCTION", json!("false"), "is a production, and"),
        ("StatefulSet", "nats", "/spec/replicas", json!(3), "NATS settings"),
        (
            "ConfigMap",
            "nats",
            "/data/accounts.conf",
            json!(dsom::mesh::logins::accounts(false)),
            "is not that of this world",
        ),
        (
            "StatefulSet",
            "chaining",
            "/spec/template/spec/containers/0/env",
            json!([]),
            "a key of its own for the register",
        ),
        ("NetworkPolicy", "ingest", "/spec/egress/3/ports/0/port", json!(6222), "sandbox-ingest -> nats:6222"),
        (
            "NetworkPolicy",
            "nats",
            "/spec/ingress/0/from/0/podSelector/matchLabels",
            json!({"app.kubernetes.io/name": "licensing"}),
            "not let in: sandbox-ingest -> sandbox-nats:4222",
        ),
        ("Namespace", "dsom-sandbox", "/metadata/labels", json!({}), "restricted"),
        ("Deployment", "ingest", annotations, scraped("7101", "ingest"), "prometheus.io/job is not sandbox-ingest"),
    ];
    for (kind, name, pointer, value, said) in of_sandbox {
        let findings = of_production(&good, &broken(&sandbox, kind, name, pointer, &value));
        if !findings.iter().any(|finding| finding.contains(said)) {
            passed.push(format!("sandbox {kind} {name} {pointer} = {value}: wanted {said:?}, found {findings:?}"));
        }
    }
    assert!(passed.is_empty(), "not found:\n{}", passed.join("\n"));
}

/// With the environment of the manifests each service comes as far as its key, which is not here: it knows every setting.
#[test]
fn the_services_take_the_settings() {
    let Some(tools) = Tools::get() else { return };
    for (overlay, licensing, ordinals) in
        [("dev", true, ["1", "3"]), ("prod", true, ["1", "3"]), ("sandbox", false, ["0", "1"])]
    {
        let documents = read(tools, overlay);
        let [owner, stranger] = ordinals;
        let of_stranger = format!("replica {stranger} of");
        for (name, ordinal, missing) in [
            ("licensing", "0", "/run/dsom/token-keys/token.pem"),
            ("ingest", "0", "/run/dsom/receipt-key/receipt.pem"),
            ("chaining", owner, "/run/dsom/log-key/log.key"),
            ("chaining", stranger, &of_stranger),
        ] {
            if name == "licensing" && !licensing {
                continue;
            }
            let environment = pods::environment(&documents, name, ordinal);
            let mut service = std::process::Command::new(testkit::binary(&format!("dsom-{name}")));
            let ended = service.env_clear().envs(environment).output().expect("it runs");
            let said = String::from_utf8_lossy(&ended.stderr).into_owned();
            assert!(!ended.status.success() && said.contains(missing), "overlays/{overlay}, {name}: {said}");
        }
    }
}
