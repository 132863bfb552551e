//! What documents say, held against what the code says: settings.

use std::collections::BTreeSet;

use super::{none, read, services};

/// Names of the `pub` fields of a struct in a source, but for what `DSOM_PRODUCTION` says to each part.
fn fields(file: &str, of: &str) -> BTreeSet<String> {
    let text = read(file);
    let body = text.split(&format!("pub struct {of} {{\n")).nth(1).unwrap_or_else(|| panic!("{file} has no {of}"));
    let body = body.split("\n}").next().unwrap_or_default().replace("pub production:", "");
    let found = body.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next().map(str::to_owned));
    found.collect()
}

/// The part of a page under a heading of the second level.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let part = page.split("\n## ").find(|part| part.lines().next() == Some(heading));
    part.unwrap_or_else(|| panic!("no section {heading}"))
}

/// The cells of a section's tables, row by row, without their heads.
fn rows(section: &str) -> Vec<Vec<&str>> {
    let lines = section.lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect()).collect()
}

#[test]
fn every_setting_is_documented_and_no_other() {
    let page = read("docs/SETTINGS.md");
    let mut tables = vec![
        ("Of the store".to_owned(), fields("shared/store/src/cql/settings.rs", "Settings"), "…SCYLLA_".to_owned()),
        ("Of people".to_owned(), fields("shared/runtime/src/people.rs", "OidcConfig"), "DSOM_OIDC_".to_owned()),
    ];
    for service in services() {
        let told = fields(&format!("services/{service}/src/config.rs"), "Config");
        let prefix = format!("DSOM_{}_", service.to_uppercase());
        tables.push((service, told, prefix));
    }
    let mut findings = Vec::new();
    for (heading, told, prefix) in tables {
        assert!(told.len() > 4, "{heading}: its fields were not found");
        let mut written = BTreeSet::new();
        for row in rows(section(&page, &heading)) {
            let [name, variable, ..] = row[..] else { panic!("{heading}: {row:?} is no row of a setting") };
            let wanted = match name {
                "engine" => "…STORE".to_owned(),
                "oidc" => "DSOM_OIDC_*".to_owned(),
                name => format!("{prefix}{}", name.to_uppercase()),
            };
            if variable != wanted {
                findings.push(format!("{heading}: {name} is {wanted}, not {variable}"));
            }
            written.insert(name.to_owned());
        }
        findings.extend(told.difference(&written).map(|name| format!("{heading}: {name} is not documented")));
        findings.extend(written.difference(&told).map(|name| format!("{heading}: {name} is no setting")));
    }
    none(findings);
}
