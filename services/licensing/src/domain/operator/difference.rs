//! What a change made of an operator: the members that stood there before it, and those that stand there after it.

use contracts::UnixMillis;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Operator;
use crate::domain::history::{BadHistory, Event};

/// A member that differs between two versions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// JSON pointer.
    pub pointer: String,
    /// What stood there; absent when nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there; absent when nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Operator {
    /// Takes in the next change of its history as [`Operator::follow`] does, and tells what it changed. Both sides are shown at the
    /// moment of the change: what time alone had done by then, such as the end of a licence or of a proposal, is nobody's change. Clocks
    /// are not of it: they are computed by the calendar of who looks, and what was told once must be told for ever.
    ///
    /// # Errors
    /// [`BadHistory`]; it is as before.
    pub fn follow_telling(&mut self, bytes: &[u8]) -> Result<(Event<Value>, Vec<Difference>), BadHistory> {
        let version = self.head.version + 1;
        let event: Event<Value> = serde_json::from_slice(bytes)
            .map_err(|error| BadHistory::Unreadable { version, reason: error.to_string() })?;
        let at = UnixMillis::parse(&event.at).unwrap_or(self.head.at);
        let shown = |operator: &Self| json!(operator.recorded(at));
        let before = if version == 1 { Value::Object(Map::new()) } else { shown(self) };
        self.follow(bytes)?;
        let mut found = differences(&before, &shown(self));
        // What changes with every change says nothing.
        found.retain(|one| !["/version", "/head", "/changed_at"].contains(&one.pointer.as_str()));
        Ok((event, found))
    }
}

/// What differs between two JSON values, as far down as both are objects, or arrays that did not shrink.
fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut found);
    found
}

fn compare(pointer: String, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names: std::collections::BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for name in names {
                let name_escaped = name.replace('~', "~0").replace('/', "~1");
                compare(format!("{pointer}/{name_escaped}"), old.get(name), new.get(name), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if old.len() <= new.len() => {
            for (at, new) in new.iter().enumerate() {
                compare(format!("{pointer}/{at}"), old.get(at), Some(new), found);
            }
        }
        (before, after) if before == after => {}
        (before, after) => found.push(Difference { pointer, before: before.cloned(), after: after.cloned() }),
    }
}
