//! Our rules for manifests: each finding is a line that says what to mend.

use std::collections::BTreeMap;

use serde_json::Value;

use super::pods::{Pods, environment, list, text};
use super::tools::root;

/// What is wrong with the manifests of an overlay, but for who may talk to whom.
pub fn findings(documents: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for pods in Pods::of(documents) {
        if !["Deployment", "StatefulSet", "Job"].contains(&pods.kind) {
            found.push(format!("{}: our rules do not cover this kind", pods.what));
        }
        of_pod(&pods, &mut found);
        for container in pods.containers() {
            of_container(&pods, container, &mut found);
        }
        of_references(&pods, documents, &mut found);
        of_disruption(&pods, documents, &mut found);
        of_scraping(&pods, &mut found);
        of_namespace(&pods, documents, &mut found);
    }
    of_secrets(documents, &mut found);
    of_partitions(documents, &mut found);
    of_durability(documents, &mut found);
    of_tokens(documents, &mut found);
    of_logins(documents, &mut found);
    found
}

/// What is wrong with the manifests of a sandbox beside those of its market.
pub fn of_sandbox(market: &[Value], sandbox: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let licensing = environment(market, "licensing", "0");
    let brokers = |market: &str| {
        let elsewhere = market.split(',').map(|url| url.replace(".nats:", ".nats.dsom:"));
        elsewhere.collect::<Vec<_>>().join(",")
    };
    for name in ["ingest", "chaining"] {
        let (theirs, ours) = (environment(market, name, "0"), environment(sandbox, name, "0"));
        let variable = |field: &str| format!("DSOM_{}_{field}", name.to_uppercase());
        let of = |settings: &BTreeMap<String, String>, field: &str| settings.get(&variable(field)).cloned();
        let mut must_be = |field: &str, wanted: Option<String>| {
            if wanted.is_none() || of(&ours, field) != wanted {
                found.push(format!("sandbox: {} is not {wanted:?}", variable(field)));
            }
        };
        must_be("SCYLLA_KEYSPACE", Some(format!("dsom_sandbox_{name}")));
        must_be("JWKS", Some("http://licensing.dsom:7103/test/jwks.json".to_owned()));
        must_be("TOKEN_ISSUER", licensing.get("DSOM_LICENSING_ISSUER").cloned());
        must_be("TOKEN_AUDIENCE", licensing.get("DSOM_LICENSING_TEST_TOKEN_AUDIENCE").cloned());
        for field in ["NATS_URL", "NATS_MONITOR_URL"] {
            must_be(&format!("REGISTRY_{field}"), of(&theirs, field).map(|urls| brokers(&urls)));
        }
        if name == "ingest" {
            must_be("ENV", Some("test".to_owned()));
        }
        for field in ["RECEIPT_ISSUER", "LOG_ORIGIN"] {
            if of(&ours, field).is_some_and(|own| Some(own) == of(&theirs, field)) {
                found.push(format!("sandbox: {} is the market's", variable(field)));
            }
        }
        if people(&ours) != people(&licensing) {
            found.push(format!("sandbox: {name} knows other people than licensing"));
        }
        if ours.get("DSOM_PRODUCTION") != theirs.get("DSOM_PRODUCTION") {
            found.push(format!("sandbox: {name} is a production, and the market's is none, or the other way round"));
        }
    }
    found
}

/// The services that are there.
fn services(documents: &[Value]) -> Vec<&'static str> {
    let all = Pods::of(documents);
    let there = |name: &&str| all.iter().any(|pods| pods.labels["app.kubernetes.io/name"] == **name);
    ["licensing", "ingest", "chaining"].into_iter().filter(there).collect()
}

fn people(settings: &BTreeMap<String, String>) -> Vec<(&String, &String)> {
    settings.iter().filter(|(name, _)| name.starts_with("DSOM_OIDC_")).collect()
}

fn of_pod(pods: &Pods<'_>, found: &mut Vec<String>) {
    let (spec, security) = (pods.spec, &pods.spec["securityContext"]);
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{}: {what}", pods.what));
        }
    };
    must(security["runAsNonRoot"] == true, "may run as root");
    must(security["runAsUser"].as_u64().is_some_and(|user| user > 0), "runs as root, or as whom the image says");
    must(security["seccompProfile"]["type"] == "RuntimeDefault", "has no seccomp profile");
    must(spec["automountServiceAccountToken"] == false, "gets a token of the cluster");
    must(spec["terminationGracePeriodSeconds"].as_u64().is_some(), "has no grace period");
    must(pods.kind == "Job" || list(&spec["topologySpreadConstraints"]).count() > 0, "does not spread");
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        must(spec[host].is_null(), &format!("uses {host}"));
    }
    must(list(&spec["volumes"]).all(|volume| volume["hostPath"].is_null()), "mounts a folder of its host");
}

fn of_container(pods: &Pods<'_>, container: &Value, found: &mut Vec<String>) {
    let (security, resources) = (&container["securityContext"], &container["resources"]);
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{}, {}: {what}", pods.what, text(&container["name"])));
        }
    };
    must(is_pinned(text(&container["image"])), "its image is not pinned");
    must(security["readOnlyRootFilesystem"] == true, "can write to its root file system");
    must(security["allowPrivilegeEscalation"] == false, "can get more rights");
    must(security["privileged"].is_null(), "is privileged");
    let capabilities = &security["capabilities"];
    must(capabilities["drop"] == serde_json::json!(["ALL"]) && capabilities["add"].is_null(), "keeps capabilities");
    let asked = |amounts: &Value, what: &str| amounts[what].is_string();
    must(asked(&resources["requests"], "cpu") && asked(&resources["requests"], "memory"), "requests no cpu or memory");
    must(asked(&resources["limits"], "memory"), "limits no memory");
    if pods.kind == "Job" {
        return;
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        must(container[probe].is_object(), &format!("has no {probe}"));
        if text(&container["image"]).split(':').next() == Some("dsom") {
            // Unready it stays: a frozen log can still be read at the pod, and a restart would not thaw it.
            let page = if probe == "readinessProbe" { "/readyz" } else { "/healthz" };
            must(container[probe]["httpGet"]["path"] == page, &format!("its {probe} does not ask {page}"));
        }
    }
}

/// To a version, to its bytes, or to both. A digest beside `latest` says nothing to who reads it.
fn is_pinned(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    let (named, digest) = last.split_once('@').map_or((last, None), |(named, digest)| (named, Some(digest)));
    let is_hex = |hex: &str| hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let whole = digest.is_none_or(|digest| digest.strip_prefix("sha256:").is_some_and(is_hex));
    let versioned = match named.split_once(':') {
        Some((_, tag)) => !tag.is_empty() && tag != "latest" && !tag.contains(':'),
        None => digest.is_some(),
    };
    whole && versioned
}

/// What pods refer to is there, or the README says how it gets there.
fn of_references(pods: &Pods<'_>, documents: &[Value], found: &mut Vec<String>) {
    let readme = std::fs::read_to_string(root().join("k8s/README.md")).expect("k8s/README.md");
    let described = |name: &str| readme.contains(&format!("`{name}`"));
    let sources: Vec<&Value> = pods
        .containers()
        .flat_map(|container| list(&container["envFrom"]).chain(list(&container["env"]).map(|one| &one["valueFrom"])))
        .chain(list(&pods.spec["volumes"]))
        .collect();
    for source in sources {
        let secrets = [&source["secretKeyRef"]["name"], &source["secretRef"]["name"], &source["secret"]["secretName"]];
        for secret in secrets.into_iter().filter_map(Value::as_str).filter(|secret| !described(secret)) {
            found.push(format!("{}: k8s/README.md says nothing of the secret {secret}", pods.what));
        }
        let maps = [&source["configMapRef"]["name"], &source["configMapKeyRef"]["name"], &source["configMap"]["name"]];
        for map in maps.into_iter().filter_map(Value::as_str) {
            let there = documents.iter().any(|document| {
                document["kind"] == "ConfigMap"
                    && document["metadata"]["name"] == map
                    && document["metadata"]["namespace"] == pods.namespace
            });
            if !there && !described(map) {
                found.push(format!("{}: there is no such ConfigMap: {map}", pods.what));
            }
        }
    }
}

fn of_disruption(pods: &Pods<'_>, documents: &[Value], found: &mut Vec<String>) {
    let name = &pods.labels["app.kubernetes.io/name"];
    let has_budget = documents.iter().any(|document| {
        document["kind"] == "PodDisruptionBudget"
            && document["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"] == *name
    });
    // One pod can't be both up and moved: its machine may be drained.
    let single = pods.kind == "StatefulSet" && pods.replicas == Some(1);
    if pods.kind != "Job" && !single && !has_budget {
        found.push(format!("{}: nothing limits how many are disrupted at a time", pods.what));
    }
}

/// Prometheus finds our services, under the names that alerts ask for; those of a sandbox under others.
fn of_scraping(pods: &Pods<'_>, found: &mut Vec<String>) {
    let ours = |container: &&Value| text(&container["image"]).split(':').next() == Some("dsom");
    let Some(container) = pods.containers().find(ours).filter(|_| pods.kind != "Job") else { return };
    let name = text(&container["name"]);
    let job = match pods.namespace.strip_prefix("dsom-") {
        Some(world) => format!("{world}-{name}"),
        None => name.to_owned(),
    };
    let port = container["ports"][0]["containerPort"].to_string();
    let relabelling = root().join("k8s/base/telemetry/prometheus.kubernetes.yml");
    let relabelling = std::fs::read_to_string(relabelling).expect("what Prometheus does with them");
    for (what, wanted) in [("scrape", "true"), ("port", &port), ("path", "/metrics"), ("job", &job)] {
        if text(&pods.annotations[format!("prometheus.io/{what}")]) != wanted {
            found.push(format!("{}: its annotation prometheus.io/{what} is not {wanted}", pods.what));
        }
        if !relabelling.contains(&format!("__meta_kubernetes_pod_annotation_prometheus_io_{what}")) {
            found.push(format!("prometheus.kubernetes.yml does not look at prometheus.io/{what}"));
        }
    }
}

fn of_namespace(pods: &Pods<'_>, documents: &[Value], found: &mut Vec<String>) {
    let mut namespaces = documents.iter().filter(|document| document["kind"] == "Namespace");
    let namespace = namespaces.find(|namespace| namespace["metadata"]["name"] == pods.namespace);
    let level = namespace.map(|namespace| &namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]);
    if level.is_none_or(|level| level != "restricted") {
        found.push(format!("{}: its namespace is not restricted", pods.what));
    }
}

/// No value of a secret is written here: secrets come as files, or by reference.
fn of_secrets(documents: &[Value], found: &mut Vec<String>) {
    let looks_secret = |name: &str, value: &str| {
        let name = name.to_ascii_uppercase();
        let named = ["PASSWORD", "SECRET", "CREDENTIAL", "_KEY", "TOKEN"].iter().any(|word| name.ends_with(word));
        named && !value.is_empty() && !value.starts_with('/') || value.contains("PRIVATE")
    };
    for document in documents {
        let (kind, name) = (text(&document["kind"]), text(&document["metadata"]["name"]));
        if kind == "Secret" {
            found.push(format!("Secret {name}: secrets do not lie in git"));
        }
        let data = document["data"].as_object().into_iter().flatten();
        for (key, value) in data.filter(|(key, value)| looks_secret(key, text(value))) {
            found.push(format!("{kind} {name}: {key} looks like a secret of {} characters", text(value).len()));
        }
    }
    for pods in Pods::of(documents) {
        for variable in pods.containers().flat_map(|container| list(&container["env"])) {
            if looks_secret(text(&variable["name"]), text(&variable["value"])) {
                found.push(format!("{}: {} looks like a secret", pods.what, text(&variable["name"])));
            }
        }
    }
}

fn of_partitions(documents: &[Value], found: &mut Vec<String>) {
    let all = Pods::of(documents);
    let Some(chaining) = all.iter().find(|pods| pods.what == "StatefulSet chaining") else {
        return found.push("there is no StatefulSet chaining".to_owned());
    };
    let told = environment(documents, "chaining", "by its index");
    let replicas = told.get("DSOM_CHAINING_REPLICAS").and_then(|replicas| replicas.parse().ok());
    if replicas != chaining.replicas {
        found.push(format!("chaining has {:?} replicas, DSOM_CHAINING_REPLICAS says {replicas:?}", chaining.replicas));
    }
    if told.get("DSOM_CHAINING_ORDINAL").map(String::as_str) != Some("by its index") {
        found.push("DSOM_CHAINING_ORDINAL is not the pod's index".to_owned());
    }
}

/// What is acknowledged is on as many disks as it should be.
fn of_durability(documents: &[Value], found: &mut Vec<String>) {
    let all = Pods::of(documents);
    let servers = all.iter().find(|pods| pods.what == "StatefulSet nats").and_then(|pods| pods.replicas);
    for name in services(documents) {
        let told = environment(documents, name, "0");
        let setting = |field: &str| told.get(&format!("DSOM_{}_NATS_{field}", name.to_uppercase())).map(String::as_str);
        let copies = setting("REPLICAS").map_or(Ok(1), str::parse::<u64>);
        let named = |field| setting(field).map(|urls| urls.split(',').count() as u64);
        let right = copies.is_ok_and(|copies| Some(copies) == servers);
        if !right || named("URL") != servers || named("MONITOR_URL") != servers {
            found.push(format!("{name}: its NATS settings are not for the {servers:?} servers there are"));
        }
    }
    for (key, file) in documents.iter().filter_map(|document| document["data"].as_object()).flatten() {
        let wanted = match key.as_str() {
            "nats.conf" => "  sync_interval: always",
            "scylla.yaml" => "commitlog_sync: batch",
            _ => continue,
        };
        let says = |wanted: &str| text(file).lines().any(|line| line == wanted);
        if !says(wanted) {
            found.push(format!("{key} does not say {:?}", wanted.trim()));
        }
        // There is no role to log in with at first: the socket is the way to the first one.
        if says("authenticator: PasswordAuthenticator") && !says("maintenance_socket: workdir") {
            found.push(format!("{key}: nobody can make the first role, as there is no maintenance_socket"));
        }
    }
}

/// The broker knows who may do what, each world's its own.
fn of_logins(documents: &[Value], found: &mut Vec<String>) {
    let in_sandbox = !services(documents).contains(&"licensing");
    let of = |file: &str| documents.iter().map(|document| text(&document["data"][file])).find(|text| !text.is_empty());
    if !of("nats.conf").is_some_and(|conf| conf.lines().any(|line| line == "include ./accounts.conf")) {
        found.push("nats.conf asks nobody who they are: it does not include accounts.conf".to_owned());
    }
    if of("accounts.conf") != Some(dsom::mesh::logins::accounts(in_sandbox)) {
        found.push("accounts.conf is not that of this world".to_owned());
    }
    for name in services(documents) {
        let told = environment(documents, name, "0");
        let file = |field: &str| told.get(&format!("DSOM_{}_{field}", name.to_uppercase())).map(String::as_str);
        if file("NATS_NKEY_FILE") != Some("/run/dsom/nats/nkey") {
            found.push(format!("{name}: it has no key for NATS"));
        }
        if file("REGISTRY_NATS_NKEY_FILE") != in_sandbox.then_some("/run/dsom/register/nkey") {
            found.push(format!("{name}: a sandbox's alone has a key of its own for the register"));
        }
    }
}

/// Tokens are taken as licensing makes them, and people are the same for everybody who knows them.
fn of_tokens(documents: &[Value], found: &mut Vec<String>) {
    // The sandbox has none of its own.
    if !services(documents).contains(&"licensing") {
        return;
    }
    let licensing = environment(documents, "licensing", "0");
    for name in ["ingest", "chaining"] {
        let told = environment(documents, name, "0");
        let prefix = format!("DSOM_{}_", name.to_uppercase());
        let setting = |field: &str| told.get(&format!("{prefix}{field}"));
        for (field, made) in [("TOKEN_ISSUER", "ISSUER"), ("TOKEN_AUDIENCE", "TOKEN_AUDIENCE")] {
            let made = licensing.get(&format!("DSOM_LICENSING_{made}"));
            if made.is_none() || setting(field) != made {
                found.push(format!("{name}: {prefix}{field} is not what the tokens of licensing say"));
            }
        }
        if setting("JWKS").map(String::as_str) != Some("http://licensing:7103/jwks.json") {
            found.push(format!("{name}: {prefix}JWKS is not where licensing shows its keys"));
        }
    }
    if people(&licensing).is_empty() || people(&environment(documents, "chaining", "0")) != people(&licensing) {
        found.push("licensing and chaining know other people: their DSOM_OIDC_ settings differ".to_owned());
    }
    let production = licensing.get("DSOM_PRODUCTION").is_some_and(|production| production == "true");
    if production && licensing.contains_key("DSOM_OIDC_JWKS") {
        found.push(
            "DSOM_OIDC_JWKS is set: in production the issuer of people says itself where its keys are".to_owned(),
        );
    }
}

#[test]
fn an_image_is_pinned_by_a_version_or_by_a_digest_that_is_one() {
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let pinned = [
        "nats:2.15.1-alpine",
        "localhost:5000/dsom:0.1.0",
        &format!("nats:2.15.1@{digest}"),
        &format!("a/dsom@{digest}"),
    ];
    for image in pinned {
        assert!(is_pinned(image), "{image}");
    }
    for image in [
        "",
        "nats",
        "nats:",
        "nats:latest",
        "localhost:5000/nats",
        &format!("nats:latest@{digest}"),
        &format!("nats:@{digest}"),
        &format!("nats:2.15.1@{digest}0"),
        &format!("nats:2.15.1@{}", digest.to_uppercase()),
        "nats:2.15.1@sha256:",
        "nats:2.15.1@sha256:abc",
        "nats@sha256:abc",
    ] {
        assert!(!is_pinned(image), "{image}");
    }
}
