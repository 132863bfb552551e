//! Holds the schema of every service to what ScyllaDB and Cassandra both take.
//!
//! The tests run on one kind of server, which can't show that the other refuses a statement. So a table may say only what is listed here:
//! what both describe, ScyllaDB in `docs/cql/ddl.rst` ("Other table options") and `cql3/statements/cf_prop_defs.cc` of its sources,
//! Cassandra 5.0 in "Data Definition (DDL)" of its manual, and in the same meaning.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Migration;

/// Columns are of these, and of `map`, `frozen`, `list` and `tuple` of them.
const TYPES: [&str; 12] =
    ["bigint", "blob", "int", "smallint", "text", "timestamp", "tinyint", "uuid", "map", "frozen", "list", "tuple"];
/// `twcs_max_window_count` of ScyllaDB, by default: how many windows a table with a time to live may have.
const WINDOWS_MAX: u64 = 50;

/// What is wrong with a statement of a schema.
fn findings(statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    let Some(table) = statement.strip_prefix("CREATE TABLE IF NOT EXISTS @") else {
        return vec![format!("does not make a table where there is none: {statement}")];
    };
    let (columns, options) = table.split_once("\n)").unwrap_or((table, ""));
    let columns = columns.split_once('(').map(|(_, columns)| columns).unwrap_or_default();
    for line in columns.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("PRIMARY KEY")) {
        let kind = line.split_once(' ').map(|(_, kind)| kind.replace(" PRIMARY KEY", "")).unwrap_or_default();
        let words = kind.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        found.extend(words.filter(|word| !TYPES.contains(word)).map(|word| format!("a column of type {word}: {line}")));
    }
    let options = options.trim().strip_prefix("WITH ").unwrap_or_default();
    let options: BTreeMap<&str, &str> =
        parts(options, " AND ").iter().filter_map(|one| one.split_once(" = ")).collect();
    for (name, value) in &options {
        let is_known = match *name {
            "comment" => value.starts_with('\'') && value.ends_with('\''),
            "gc_grace_seconds" | "default_time_to_live" => value.parse::<u32>().is_ok(),
            // ScyllaDB wants `sstable_compression` in a map that says anything, Cassandra `class`: an empty one is none for both.
            "compression" => *value == "{}",
            "compaction" => {
                found.extend(compaction(value, options.get("default_time_to_live").copied()));
                true
            }
            _ => false,
        };
        if !is_known {
            found.push(format!("{name} = {value}"));
        }
    }
    found
}

fn compaction(map: &str, time_to_live: Option<&str>) -> Option<String> {
    let inside = map.trim_start_matches('{').trim_end_matches('}');
    let mut given: BTreeMap<&str, &str> = parts(inside, ", ").iter().filter_map(|one| one.split_once(": ")).collect();
    let class = given.remove("'class'").unwrap_or_default().trim_matches('\'');
    let (unit, size) = (given.remove("'compaction_window_unit'"), given.remove("'compaction_window_size'"));
    if !given.is_empty() {
        return Some(format!("compaction = {map}"));
    }
    match (class, unit, size) {
        ("LeveledCompactionStrategy" | "SizeTieredCompactionStrategy", None, None) => None,
        ("TimeWindowCompactionStrategy", Some(unit), Some(size)) => {
            let seconds = match unit.trim_matches('\'') {
                "MINUTES" => 60,
                "HOURS" => 3_600,
                "DAYS" => 86_400,
                _ => return Some(format!("a window of {unit}")),
            };
            // ScyllaDB warns of windows that never end, and refuses them where `restrict_twcs_without_default_ttl` is true.
            let Some(time_to_live) = time_to_live.and_then(|text| text.parse::<u64>().ok()).filter(|time| *time > 0)
            else {
                return Some("windows of time without default_time_to_live: their number grows for ever".to_owned());
            };
            let windows = time_to_live / (seconds * size.parse::<u64>().unwrap_or(1).max(1));
            (windows > WINDOWS_MAX).then(|| format!("{windows} windows, over {WINDOWS_MAX}"))
        }
        _ => Some(format!("compaction = {map}")),
    }
}

/// Cuts at `by`, but not inside of braces or quotes.
fn parts<'t>(text: &'t str, by: &str) -> Vec<&'t str> {
    let (mut depth, mut quoted, mut from, mut cut) = (0, false, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '{' if !quoted => depth += 1,
            '}' if !quoted => depth -= 1,
            _ if !quoted && depth == 0 && at >= from && text[at..].starts_with(by) => {
                cut.push(text[from..at].trim());
                from = at + by.len();
            }
            _ => {}
        }
    }
    cut.push(text[from..].trim());
    cut
}

fn schemas() -> Vec<PathBuf> {
    let services = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../services");
    let folders = std::fs::read_dir(services).expect("services/").map(|entry| entry.expect("a service").path());
    let files = folders.filter_map(|service| std::fs::read_dir(service.join("schema")).ok()).flatten();
    let files = files.map(|file| file.expect("a file").path());
    files.filter(|file| file.extension().is_some_and(|ending| ending == "cql")).collect()
}

#[test]
fn schemas_say_only_what_both_kinds_of_server_take() {
    let files = schemas();
    assert!(files.len() >= 3, "{files:?}");
    let mut found = Vec::new();
    for file in files {
        let text: &'static str = std::fs::read_to_string(&file).expect("a schema").leak();
        let statements = Migration { name: "a schema", text }.statements();
        assert!(!statements.is_empty(), "{} has no statement", file.display());
        for statement in statements {
            found.extend(findings(&statement).into_iter().map(|finding| format!("{}: {finding}", file.display())));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_one_kind_of_server_refuses_is_found() {
    let table = |options: &str| {
        format!("CREATE TABLE IF NOT EXISTS @t (\n    a int PRIMARY KEY,\n    b frozen<list<blob>>\n) WITH {options}")
    };
    let windows = "compaction = {'class': 'TimeWindowCompactionStrategy', 'compaction_window_unit': 'MINUTES', 'compaction_window_size': 10}";
    for fine in [
        "comment = 'a; b = c AND d'".to_owned(),
        "comment = 'a'\n  AND compression = {}\n  AND compaction = {'class': 'SizeTieredCompactionStrategy'}"
            .to_owned(),
        format!("{windows}\n  AND default_time_to_live = 3840\n  AND gc_grace_seconds = 3600"),
    ] {
        assert_eq!(findings(&table(&fine)), [] as [String; 0], "{fine}");
    }
    for refused in [
        "compression = {'enabled': 'false'}".to_owned(),
        "compression = {'class': 'LZ4Compressor'}".to_owned(),
        "compaction = {'class': 'UnifiedCompactionStrategy'}".to_owned(),
        "compaction = {'class': 'LeveledCompactionStrategy', 'sstable_size_in_mb': '100'}".to_owned(),
        "read_repair = 'NONE'".to_owned(),
        windows.to_owned(),
        format!("{windows} AND default_time_to_live = 86400"),
    ] {
        assert_eq!(findings(&table(&refused)).len(), 1, "{refused}");
    }
    assert_eq!(findings("CREATE TABLE IF NOT EXISTS @t (\n    a vector<float, 3> PRIMARY KEY\n)").len(), 2);
    assert_eq!(findings("CREATE INDEX ON @t (a)").len(), 1);
}
