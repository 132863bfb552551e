//! The pods that manifests describe, and what their containers are told.

use std::collections::BTreeMap;

use serde_json::Value;

/// The pods of a Deployment, a StatefulSet or a Job.
pub struct Pods<'a> {
    /// What makes them, for a person to find.
    pub what: String,
    /// Kind of what makes them.
    pub kind: &'a str,
    /// Where they live.
    pub namespace: &'a str,
    /// Their labels.
    pub labels: &'a Value,
    /// Their annotations.
    pub annotations: &'a Value,
    /// How many.
    pub replicas: Option<u64>,
    /// Their specification.
    pub spec: &'a Value,
}

impl Pods<'_> {
    /// All of them.
    pub fn of(documents: &[Value]) -> Vec<Pods<'_>> {
        let mut pods = Vec::new();
        for document in documents {
            let kind = text(&document["kind"]);
            if !["Deployment", "StatefulSet", "Job", "DaemonSet", "CronJob", "Pod", "ReplicaSet"].contains(&kind) {
                continue;
            }
            pods.push(Pods {
                what: format!("{kind} {}", text(&document["metadata"]["name"])),
                kind,
                namespace: text(&document["metadata"]["namespace"]),
                labels: &document["spec"]["template"]["metadata"]["labels"],
                annotations: &document["spec"]["template"]["metadata"]["annotations"],
                replicas: document["spec"]["replicas"].as_u64(),
                spec: &document["spec"]["template"]["spec"],
            });
        }
        pods
    }

    /// Their containers, those that run before the others too.
    pub fn containers(&self) -> impl Iterator<Item = &Value> {
        list(&self.spec["initContainers"]).chain(list(&self.spec["containers"]))
    }
}

/// The environment of the container of that name, in the pod with that index.
pub fn environment(documents: &[Value], name: &str, ordinal: &str) -> BTreeMap<String, String> {
    let map = |wanted: &str| {
        let named = |document: &&Value| document["kind"] == "ConfigMap" && document["metadata"]["name"] == wanted;
        documents.iter().find(named).and_then(|map| map["data"].as_object()).expect("it is described")
    };
    let pods = Pods::of(documents);
    let container = pods.iter().flat_map(Pods::containers).find(|container| container["name"] == name);
    let container = container.expect("the container is described");
    let mut environment = BTreeMap::new();
    for source in list(&container["envFrom"]) {
        let (prefix, wanted) = (text(&source["prefix"]), text(&source["configMapRef"]["name"]));
        for (name, value) in map(wanted) {
            environment.insert(format!("{prefix}{name}"), text(value).to_owned());
        }
    }
    for variable in list(&container["env"]) {
        let from = &variable["valueFrom"];
        let value = match text(&variable["value"]) {
            "" if text(&from["fieldRef"]["fieldPath"]).contains("pod-index") => ordinal,
            "" if from["secretKeyRef"].is_object() => "somebody",
            "" if from["configMapKeyRef"].is_object() => {
                let (wanted, key) = (&from["configMapKeyRef"]["name"], text(&from["configMapKeyRef"]["key"]));
                text(map(text(wanted)).get(key).unwrap_or_else(|| panic!("{wanted} has no {key}")))
            }
            value => value,
        };
        environment.insert(text(&variable["name"]).to_owned(), value.to_owned());
    }
    environment
}

/// The text there, or none.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The elements there, or none.
pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
