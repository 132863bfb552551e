//! What the commands of clerks have in common: where the register is, who asks, as of when, and what a decision rests on.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::Failure;
use crate::mesh::{Layout, MeshFile, keys};
use crate::register::{Clerk, Place};

/// Above the options that every sub-command takes.
const HEADING: &str = "Where, and who asks";

/// Where the register is.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Licensing {
    /// Folder of the mesh
    #[arg(long, value_name = "DIR", default_value = ".dsom", env = "DSOM_DATA_DIR", global = true, help_heading = HEADING)]
    data: PathBuf,
    /// Base URL of licensing [default: what DIR/mesh.json says]
    #[arg(long, value_name = "URL", env = "DSOM_LICENSING", global = true, help_heading = HEADING)]
    licensing: Option<reqwest::Url>,
}

impl Licensing {
    /// Base URL of licensing.
    pub(super) fn url(&self) -> Result<String, Failure> {
        match &self.licensing {
            Some(url) => Ok(url.as_str().trim_end_matches('/').to_owned()),
            None => Ok(MeshFile::read(&self.data)?.licensing),
        }
    }

    /// For what everybody may read.
    pub(super) fn open(&self) -> Result<Clerk, Failure> {
        Ok(Clerk::new(Place { url: self.url()?, token: None }))
    }
}

/// Where the register is, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Desk {
    #[command(flatten)]
    at: Licensing,
    /// Token of the person at the OpenID Connect issuer
    #[arg(long, env = "DSOM_TOKEN", hide_env_values = true, global = true, help_heading = HEADING)]
    token: Option<String>,
    /// In a development mesh: the clerk to be
    #[arg(long = "as", value_name = "SUB", default_value = "clerk-1", global = true, help_heading = HEADING)]
    clerk: String,
}

impl Desk {
    /// The folder of the development mesh.
    pub(super) fn layout(&self) -> Result<Layout, Failure> {
        Layout::existing(self.data())
    }

    /// The folder of the development mesh, as given.
    pub(super) fn data(&self) -> &Path {
        &self.at.data
    }

    /// Where the register is.
    pub(super) fn licensing(&self) -> &Licensing {
        &self.at
    }

    /// The token of who asks.
    pub(super) fn token(&self) -> Result<String, Failure> {
        match &self.token {
            Some(token) => Ok(token.clone()),
            None => keys::person_token(&self.layout()?, &self.clerk, &["clerk"]),
        }
    }

    pub(super) fn open(&self) -> Result<Clerk, Failure> {
        Ok(Clerk::new(Place { url: self.at.url()?, token: Some(self.token()?) }))
    }
}

/// As of when.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct AsOf {
    /// As it was known at a moment that has passed, such as 2026-11-23T08:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) as_of: Option<String>,
}

/// A moment as the services read one; the text as it was given.
pub(super) fn moment(text: &str) -> Result<String, String> {
    let read = contracts::time::UnixNanos::parse(text).map(|_| text.to_owned());
    read.ok_or_else(|| "not a moment in UTC such as 2026-11-23T08:00:00Z".to_owned())
}

/// What a decision rests on.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Ground {
    /// The rule of law
    #[arg(long)]
    law: String,
    /// The number of the document
    #[arg(long)]
    document: String,
    /// The document itself: its SHA-256 is kept, not the file
    #[arg(long, value_name = "FILE")]
    document_file: PathBuf,
}

impl Ground {
    pub(super) fn json(&self) -> Result<Value, Failure> {
        let hash = sha256_of(&self.document_file)?;
        Ok(json!({"law": self.law, "document": self.document, "document_hash": hash}))
    }
}

/// The same of a decision that may have its ground already.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct GroundIfAny {
    /// The rule of law, for what an operator asked for
    #[arg(long, requires = "document")]
    law: Option<String>,
    /// The number of the document
    #[arg(long, requires = "document_file")]
    document: Option<String>,
    /// The document itself: its SHA-256 is kept, not the file
    #[arg(long, value_name = "FILE", requires = "law")]
    document_file: Option<PathBuf>,
}

impl GroundIfAny {
    pub(super) fn json(self) -> Result<Option<Value>, Failure> {
        let Self { law: Some(law), document: Some(document), document_file: Some(document_file) } = self else {
            return Ok(None);
        };
        Ground { law, document, document_file }.json().map(Some)
    }
}

/// The SHA-256 of a file.
pub(super) fn sha256_of(file: &Path) -> Result<contracts::Hash, Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::usage(format!("could not read {}", file.display())).because(&error))?;
    Ok(contracts::Hash(Sha256::digest(&bytes).into()))
}

/// Says that something was proposed: the id alone on standard output, what to do with it beside.
pub(super) fn proposed(operator: contracts::OperatorId, proposal: uuid::Uuid) {
    say!("{proposal}");
    note!("proposed; another clerk confirms it with: dsom operator confirm {operator} {proposal} --as SUB");
}

/// A word of a JSON object; nothing where there is none.
pub(super) fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A domain as it is kept: A-labels in lower case, without the root's dot.
pub(super) fn a_labels(domain: &str) -> String {
    let name = domain.strip_suffix('.').unwrap_or(domain);
    // A URL has its host so.
    let url = reqwest::Url::parse(&format!("http://{name}/"));
    url.ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| name.to_lowercase())
}

/// Who did something: an operator's proposals name the person alone, histories and the list of sites with the role.
pub(super) fn who(value: &Value) -> &str {
    match value.get("by") {
        Some(Value::String(by)) => by,
        Some(by) => word(by, "sub"),
        None => "",
    }
}

/// Whether a page of a history is not where it ends although there is more of it.
pub(super) fn undamaged(page: &Value, what: &str) -> Result<(), Failure> {
    match page.get("damaged") {
        Some(damaged) => Err(Failure::bad(format!("{what} is damaged and ends here: {}", word(damaged, "reason")))),
        None => Ok(()),
    }
}

/// The members of a list; none where there is no list.
pub(super) fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Shows where an operator stands after something was done to it.
pub(super) fn show(operator: &Value) {
    let version = operator.get("version").and_then(Value::as_u64).unwrap_or_default();
    say!("{} {} at version {version}, {}", word(operator, "id"), word(operator, "name"), word(operator, "stage"));
    for licence in list(operator, "licences") {
        let id = licence.get("id").and_then(Value::as_u64).unwrap_or_default();
        let late = |clock: &str| {
            let clock = licence.get(clock)?;
            let late = clock.get("overdue")?.as_bool()? && clock.get("done").is_none();
            late.then_some(", ENTRY OVERDUE")
        };
        let number = match word(licence, "number") {
            "" => String::new(),
            number => format!(", {number}"),
        };
        let late = late("register_entry").unwrap_or_default();
        say!(
            "  licence {id}  {} {} since {}{number}{late}",
            word(licence, "kind"),
            word(licence, "state"),
            word(licence, "since")
        );
        for kind in ["venues", "domains", "apps"] {
            let places: Vec<&str> = list(licence, kind).iter().filter_map(Value::as_str).collect();
            if !places.is_empty() {
                say!("    {kind}: {}", places.join(", "));
            }
        }
    }
    for key in list(operator, "keys") {
        let state = match word(key, "revoked_at") {
            "" => format!("until {}", word(key, "expires")),
            at => format!("revoked {at}"),
        };
        say!("  key {} {} {state}", word(key, "kid"), word(key, "env"));
    }
    for proposal in list(operator, "proposals") {
        let decision = proposal.get("decision").map(|decision| word(decision, "type")).unwrap_or_default();
        say!(
            "  waits {}  {decision}, proposed by {}, until {}",
            word(proposal, "id"),
            who(proposal),
            word(proposal, "expires")
        );
    }
    if let Some(clock) = operator.get("integration") {
        let late = clock.get("overdue").and_then(Value::as_bool).unwrap_or_default();
        let how = match (word(clock, "done"), late) {
            ("", true) => " OVERDUE".to_owned(),
            ("", false) => String::new(),
            (done, _) => format!(", done {done}"),
        };
        say!("  live until {}{how}", word(clock, "due"));
    }
}
