//! Who may talk to whom: the NetworkPolicies, read as arrows and held against those there are to be.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pods::{Pods, list, text};

/// In every overlay. `operators`, `readers`, `metrics`, `telemetry` and `issuer` are namespaces outside, by their label.
pub const COMMON: &[&str] = &[
    "* -> kube-dns:53",
    "operators -> licensing:7103",
    "metrics -> licensing:7103",
    "ingest -> licensing:7103",
    "chaining -> licensing:7103",
    "operators -> ingest:7101",
    "metrics -> ingest:7101",
    "readers -> chaining:7102",
    "metrics -> chaining:7102",
    "licensing -> nats:4222",
    "licensing -> nats:8222",
    "ingest -> nats:4222",
    "ingest -> nats:8222",
    "chaining -> nats:4222",
    "chaining -> nats:8222",
    "licensing -> scylla:9042",
    "licensing -> scylla:19042",
    "ingest -> scylla:9042",
    "ingest -> scylla:19042",
    "chaining -> scylla:9042",
    "chaining -> scylla:19042",
    "migrate -> scylla:9042",
    "migrate -> scylla:19042",
    "licensing -> telemetry:4318",
    "ingest -> telemetry:4318",
    "chaining -> telemetry:4318",
];
/// With clusters, the operator that keeps one of them, people with tokens of an issuer outside, and a sandbox beside it.
pub const PROD: &[&str] = &[
    "operators -> sandbox-ingest:7101",
    "metrics -> sandbox-ingest:7101",
    "readers -> sandbox-chaining:7102",
    "metrics -> sandbox-chaining:7102",
    "sandbox-ingest -> sandbox-nats:4222",
    "sandbox-ingest -> sandbox-nats:8222",
    "sandbox-chaining -> sandbox-nats:4222",
    "sandbox-chaining -> sandbox-nats:8222",
    "sandbox-ingest -> licensing:7103",
    "sandbox-chaining -> licensing:7103",
    "sandbox-ingest -> nats:4222",
    "sandbox-ingest -> nats:8222",
    "sandbox-chaining -> nats:4222",
    "sandbox-chaining -> nats:8222",
    "sandbox-ingest -> scylla:9042",
    "sandbox-ingest -> scylla:19042",
    "sandbox-chaining -> scylla:9042",
    "sandbox-chaining -> scylla:19042",
    "sandbox-migrate -> scylla:9042",
    "sandbox-migrate -> scylla:19042",
    "sandbox-ingest -> issuer:443",
    "sandbox-chaining -> issuer:443",
    "sandbox-ingest -> telemetry:4318",
    "sandbox-chaining -> telemetry:4318",
    "licensing -> issuer:443",
    "chaining -> issuer:443",
    "nats -> nats:6222",
    "scylla -> scylla:7000",
    "scylla -> scylla:7001",
    "scylla -> scylla:9042",
    "scylla -> scylla:10001",
    "scylla-operator -> scylla:9042",
    "scylla-operator -> scylla:10001",
    "scylla-manager -> scylla:9042",
    "scylla-manager -> scylla:10001",
    "metrics -> scylla:9180",
];

/// Ours; whoever of them talks to another needs leave at both ends.
const OURS: &[&str] = &["licensing", "ingest", "chaining", "migrate", "nats", "scylla"];
/// The namespace of the sandbox, and what its pods are called with here.
const SANDBOX: &str = "dsom-sandbox";
const SANDBOX_PREFIX: &str = "sandbox-";
/// The namespace of the CQL servers; what they reach is not limited.
const SCYLLA: &str = "dsom-scylla";
const NAME: &str = "app.kubernetes.io/name";
const NAMESPACE: &str = "kubernetes.io/metadata.name";

/// Where the policies allow other arrows than these, or leave something open.
pub fn findings(documents: &[Value], expected: &[&str]) -> Vec<String> {
    let mut read = Read::default();
    let policies = || documents.iter().filter(|document| document["kind"] == "NetworkPolicy");
    policies().for_each(|policy| read.policy(policy));
    let mut found = read.open;
    let expected: BTreeSet<String> = expected.iter().map(|arrow| (*arrow).to_owned()).collect();
    let allowed: BTreeSet<String> = read.at_source.union(&read.at_target).cloned().collect();
    found.extend(expected.difference(&allowed).map(|arrow| format!("not allowed: {arrow}")));
    found.extend(allowed.difference(&expected).map(|arrow| format!("allowed, and should not be: {arrow}")));
    for arrow in &allowed {
        let (source, target) = arrow.split_once(" -> ").unwrap_or_default();
        let target = target.split(':').next().unwrap_or_default();
        let is_ours = |name: &str| OURS.contains(&name.strip_prefix(SANDBOX_PREFIX).unwrap_or(name));
        if is_ours(source) && is_ours(target) {
            // What the CQL servers reach is not limited.
            if source != "scylla" && !read.at_source.contains(arrow) {
                found.push(format!("not let out: {arrow}"));
            }
            if !read.at_target.contains(arrow) {
                found.push(format!("not let in: {arrow}"));
            }
        }
    }
    // Denies to every pod of a namespace what no other policy allows.
    let denies = |namespace: &Value, directions: &[&str]| {
        policies().filter(|policy| policy["metadata"]["namespace"] == *namespace).any(|policy| {
            let spec = &policy["spec"];
            is_empty(&spec["podSelector"])
                && spec["ingress"].is_null()
                && spec["egress"].is_null()
                && directions.iter().all(|direction| list(&spec["policyTypes"]).any(|listed| listed == direction))
        })
    };
    for cluster in documents.iter().filter(|document| document["kind"] == "ScyllaCluster") {
        if !denies(&cluster["metadata"]["namespace"], &["Ingress"]) {
            found.push(format!("ScyllaCluster {}: anybody may reach it", text(&cluster["metadata"]["name"])));
        }
    }
    for pods in Pods::of(documents) {
        if !denies(&pods.namespace.into(), &["Ingress", "Egress"]) {
            found.push(format!("{}: nothing is denied by default in its namespace", pods.what));
        }
        let selects = |policy: &Value| {
            let wanted = &policy["spec"]["podSelector"]["matchLabels"];
            wanted.as_object().is_some_and(|wanted| wanted.iter().all(|(name, value)| pods.labels[name] == *value))
        };
        if !policies().filter(|policy| policy["metadata"]["namespace"] == pods.namespace).any(selects) {
            found.push(format!("{}: no NetworkPolicy is about it", pods.what));
        }
    }
    found
}

/// What the policies read so far allow.
#[derive(Default)]
struct Read {
    at_source: BTreeSet<String>,
    at_target: BTreeSet<String>,
    open: Vec<String>,
}

impl Read {
    fn policy(&mut self, policy: &Value) {
        let name = format!("NetworkPolicy {}", text(&policy["metadata"]["name"]));
        let namespace = text(&policy["metadata"]["namespace"]);
        let subject = match text(&policy["spec"]["podSelector"]["matchLabels"][NAME]) {
            "" => "*".to_owned(),
            subject => full(subject, namespace),
        };
        for rule in list(&policy["spec"]["ingress"]) {
            for (peer, port) in self.ends(&name, namespace, &rule["from"], &rule["ports"]) {
                self.at_target.insert(format!("{peer} -> {subject}:{port}"));
            }
        }
        for rule in list(&policy["spec"]["egress"]) {
            for (peer, port) in self.ends(&name, namespace, &rule["to"], &rule["ports"]) {
                self.at_source.insert(format!("{subject} -> {peer}:{port}"));
            }
        }
    }

    /// Each peer with each port.
    fn ends(&mut self, policy: &str, namespace: &str, peers: &Value, ports: &Value) -> Vec<(String, u64)> {
        let mut names = Vec::new();
        for peer in list(peers) {
            match named(peer, namespace) {
                Ok(found) => names.extend(found),
                Err(why) => self.open.push(format!("{policy} {why}")),
            }
        }
        if list(peers).next().is_none() {
            self.open.push(format!("{policy} lets everybody through"));
        }
        let numbers: Vec<u64> = list(ports).filter_map(|port| port["port"].as_u64()).collect();
        if numbers.is_empty()
            || numbers.len() != list(ports).count()
            || list(ports).any(|port| port.get("endPort").is_some())
        {
            self.open.push(format!("{policy} opens every port, or ports by name or range"));
        }
        names.iter().flat_map(|name| numbers.iter().map(move |port| (name.clone(), *port))).collect()
    }
}

/// Who a peer is, in the words of the arrows.
fn named(peer: &Value, namespace: &str) -> Result<Vec<String>, &'static str> {
    if peer.get("ipBlock").is_some() {
        return Err("goes by address");
    }
    let (space, pods) = (&peer["namespaceSelector"], &peer["podSelector"]);
    let mut names: Vec<String> = [&pods["matchLabels"][NAME], &pods["matchLabels"]["k8s-app"]]
        .into_iter()
        .chain(list(&pods["matchExpressions"]).flat_map(|expression| list(&expression["values"])))
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    // Without a selector of namespaces pods are neighbours.
    let mut in_namespace = if space.is_object() { "" } else { namespace };
    let labels = space["matchLabels"].as_object();
    match labels.and_then(|labels| labels.iter().next()) {
        None if space.is_object() => return Err("lets everybody of any namespace through"),
        None if names.is_empty() && is_empty(pods) && namespace == SCYLLA => names.push("scylla".to_owned()),
        // By name alone it is a neighbour.
        None => {}
        Some((label, value)) if label == NAMESPACE => match (text(value), names.is_empty()) {
            (SCYLLA, true) => names.push("scylla".to_owned()),
            (other, true) => names.push(other.to_owned()),
            (other @ ("dsom" | "kube-system" | SANDBOX), false) => in_namespace = other,
            _ => return Err("names pods of a namespace that we do not know"),
        },
        Some((label, _)) => names.push(label.trim_start_matches("dsom.access/").to_owned()),
    }
    match names.is_empty() {
        true => Err("lets everybody of its namespace through"),
        false => Ok(names.iter().map(|name| full(name, in_namespace)).collect()),
    }
}

/// A pod's name with its world.
fn full(name: &str, namespace: &str) -> String {
    if namespace == SANDBOX { format!("{SANDBOX_PREFIX}{name}") } else { name.to_owned() }
}

fn is_empty(selector: &Value) -> bool {
    selector.as_object().is_some_and(serde_json::Map::is_empty)
}
