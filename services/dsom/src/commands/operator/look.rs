//! What is read of operators: who there is, what waits, and what was done.

use comfy_table::{Table, presets};
use contracts::OperatorId;
use serde_json::Value;

use crate::Failure;
use crate::commands::desk::{list, undamaged, who, word};
use crate::register::{Clerk, Route};

/// A table of all operators that a route finds.
pub(super) async fn all(clerk: &Clerk, route: Route) -> Result<(), Failure> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["operator", "edrpou", "name", "stage", "licences", "live until"]);
    clerk
        .pages(route.ask("limit", 500), |page| {
            for operator in list(page, "operators") {
                table.add_row(row(operator));
            }
        })
        .await?;
    say!("{table}");
    Ok(())
}

fn row(operator: &Value) -> Vec<String> {
    let licences: Vec<String> = list(operator, "licences")
        .iter()
        .map(|licence| format!("{} {}", word(licence, "kind"), word(licence, "state")))
        .collect();
    let due = operator.get("integration").map(|clock| word(clock, "due")).unwrap_or_default();
    let cells = ["id", "edrpou", "name", "stage"].map(|name| word(operator, name).to_owned());
    cells.into_iter().chain([licences.join(", "), due.to_owned()]).collect()
}

/// What waits for a second person, or waited at a moment.
pub(super) async fn proposals(clerk: &Clerk, as_of: Option<String>) -> Result<(), Failure> {
    let route = Route::to("/v1/proposals").ask("limit", 500).ask_if("as_of", as_of);
    clerk
        .pages(route, |page| {
            for one in list(page, "proposals") {
                let proposal = one.get("proposal").cloned().unwrap_or_default();
                let decision = proposal.get("decision").cloned().unwrap_or_default();
                let taken_up = match word(&proposal, "endorsed_by") {
                    "" => String::new(),
                    clerk => format!(", taken up by {clerk}"),
                };
                let (operator, id, by) = (word(one, "operator"), word(&proposal, "id"), who(&proposal));
                say!("{operator} {id}  {decision} by {by}{taken_up}");
            }
        })
        .await
}

/// Who did what to an operator, and what stood there before and after.
pub(super) async fn history(clerk: &Clerk, operator: OperatorId, as_of: Option<String>) -> Result<(), Failure> {
    let route = Route::operator(operator).then("/history").ask("limit", 200).ask_if("as_of", as_of);
    let mut whole = Ok(());
    clerk
        .pages(route, |page| {
            list(page, "changes").iter().for_each(change);
            whole = undamaged(page, &format!("the history of {operator}"));
        })
        .await?;
    whole
}

fn change(change: &Value) {
    let version = change.get("version").and_then(Value::as_u64).unwrap_or_default();
    let role = change.get("by").map(|by| word(by, "role")).unwrap_or_default();
    let fact = change.get("fact").map(|fact| word(fact, "type")).unwrap_or_default();
    say!("{version:>4} {} {} ({role}) {fact}", word(change, "at"), who(change));
    for one in list(change, "differences") {
        let shown = |name: &str| one.get(name).map_or_else(|| "-".to_owned(), Value::to_string);
        say!("       {}: {} -> {}", word(one, "pointer"), shown("before"), shown("after"));
    }
}
