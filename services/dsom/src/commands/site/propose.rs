//! Proposals about the list: as many as it takes. The id of each is made of what it holds, so that a command that is given again after
//! a part of it was refused, or its answer was lost, proposes nothing twice.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::PROPOSALS;
use super::subjects::Subject;
use crate::Failure;
use crate::commands::desk::word;
use crate::register::{Clerk, Problem, Route, Wrong};

/// Most subjects of one proposal.
const SUBJECTS_MAX: usize = 2_000;
/// How often the same may have been proposed before.
const BEFORE_MAX: u32 = 100;

/// What is to be done.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Block.
    Blocks,
    /// Lift a block.
    Lifts,
}

/// What became of a proposal.
enum Proposed {
    /// It waits for another clerk.
    Waits(Uuid),
    /// It was proposed before, and another clerk has confirmed it.
    Confirmed(Uuid),
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Lifts => "lifts",
        }
    }
}

/// Proposes the same for all subjects; the id of each proposal that waits on standard output.
pub(super) async fn propose(
    clerk: &Clerk,
    kind: Kind,
    subjects: &[Subject],
    ground: &Value,
    more: &Value,
) -> Result<(), Failure> {
    let (mut done, mut stand) = (0, Vec::new());
    for some in subjects.chunks(SUBJECTS_MAX) {
        let body = json!({"ground": ground, kind.as_str(): some.iter().map(|one| form(one, more)).collect::<Vec<_>>()});
        let proposed = match proposal(clerk, kind, some, body).await {
            Ok(proposed) => proposed,
            Err(failure) => return Err(cut(failure, done, subjects.len(), &stand)),
        };
        done += some.len();
        let so_far = format!("{done} of {} proposed", subjects.len());
        match proposed {
            Proposed::Waits(id) => {
                say!("{id}");
                note!("{so_far}; another clerk confirms with: dsom site confirm {id} --as SUB");
                stand.push(id);
            }
            Proposed::Confirmed(id) => note!("{so_far}; these before, as {id}, and they are decided"),
        }
    }
    Ok(())
}

/// One proposal. Where the same was proposed before and is over, under the next id.
async fn proposal(clerk: &Clerk, kind: Kind, some: &[Subject], body: Value) -> Result<Proposed, Failure> {
    let list = Route::to(PROPOSALS);
    let mut decided = None;
    for before in 0..BEFORE_MAX {
        let id = id(&person(clerk.token()), &body, before);
        let mut form = body.clone();
        if let Some(members) = form.as_object_mut() {
            members.insert("id".to_owned(), json!(id));
        }
        let shown = match (clerk.try_post_at(&list, &list, Some(&form)).await?, decided) {
            (Ok(answer), _) => answer.body,
            (Err(problem), Some(id)) if stands(&problem, some.len()) => return Ok(Proposed::Confirmed(id)),
            (Err(problem), _) => return Err(placed(&problem, kind, some)),
        };
        match word(&shown, "outcome") {
            // What was decided may have been taken back since, by a decision of the other kind: then it is proposed again.
            "confirmed" => decided = Some(id),
            "declined" | "expired" => {}
            _ => return Ok(Proposed::Waits(id)),
        }
    }
    Err(Failure::bad(format!("the same was proposed {BEFORE_MAX} times and came to nothing: name another document")))
}

/// Whether a refusal says that all subjects are as they are to be. Of many it tells the first alone, and how many there are in its detail:
/// where that can't be read it is a refusal like any other.
fn stands(problem: &Problem, subjects: usize) -> bool {
    let told = problem.detail.split(' ').next().and_then(|number| number.parse().ok());
    let as_wanted = |wrong: &Wrong| matches!(wrong.code.as_str(), "already-listed" | "not-listed");
    problem.code == "conflict" && told == Some(subjects) && problem.errors.iter().all(as_wanted)
}

/// A subject with what is said of it.
fn form(subject: &Subject, more: &Value) -> Value {
    let mut form = subject.form();
    if let (Some(members), Some(more)) = (form.as_object_mut(), more.as_object()) {
        members.extend(more.clone());
    }
    form
}

/// An id of what is proposed, who proposes it, and how often it came to nothing before (RFC 9562 section 5.8).
fn id(person: &str, body: &Value, before: u32) -> Uuid {
    let digest: [u8; 32] = Sha256::digest(json!(["dsom site", person, before, body]).to_string()).into();
    let (head, _) = digest.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    uuid::Builder::from_custom_bytes(*head).into_uuid()
}

/// `sub` of a token, which nobody has to believe here: another person's proposal is another one.
fn person(token: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Option<Value> = claims.and_then(|claims| serde_json::from_slice(&claims).ok());
    claims.map(|claims| word(&claims, "sub").to_owned()).unwrap_or_default()
}

/// A refusal with the subjects it is about, as they were given.
fn placed(problem: &Problem, kind: Kind, some: &[Subject]) -> Failure {
    problem.placed(|pointer| {
        let (number, rest) = pointer.strip_prefix('/')?.strip_prefix(kind.as_str())?.strip_prefix('/').map(|rest| {
            let (number, rest) = rest.split_once('/').unwrap_or((rest, ""));
            (number.parse::<usize>(), rest)
        })?;
        let subject = some.get(number.ok()?)?;
        Some(if rest.is_empty() { subject.to_string() } else { format!("{subject} {rest}") })
    })
}

/// A failure after a part was proposed.
fn cut(mut failure: Failure, done: usize, all: usize, stand: &[Uuid]) -> Failure {
    if done > 0 {
        let ids: Vec<String> = stand.iter().map(Uuid::to_string).collect();
        let waits = if ids.is_empty() { String::new() } else { format!(" and wait: {}", ids.join(" ")) };
        failure.text.push_str(&format!(
            "\nthe first {done} of {all} are proposed{waits}\nput right what is named and give the same command again: what is proposed already is not proposed twice"
        ));
    }
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_what_is_proposed_and_by_whom() {
        let body = |site: &str| json!({"blocks": [{"site": site}], "ground": {"law": "a"}});
        let one = id("clerk-1", &body("a.example"), 0);
        assert_eq!(id("clerk-1", &body("a.example"), 0), one, "given again");
        let others = [
            id("clerk-1", &body("b.example"), 0),
            id("clerk-2", &body("a.example"), 0),
            id("clerk-1", &body("a.example"), 1),
        ];
        assert!(others.iter().all(|other| *other != one), "{others:?}");
        assert_eq!((one.get_version_num(), one.is_nil()), (8, false));
    }

    #[test]
    fn what_was_decided_stands_when_all_of_it_is_as_wanted() {
        let problem = |detail: &str, code: &str| Problem {
            code: "conflict".to_owned(),
            detail: detail.to_owned(),
            errors: vec![Wrong { code: code.to_owned(), ..Wrong::default() }],
            ..Problem::default()
        };
        assert!(stands(&problem("2000 of the subjects can't be blocked or lifted", "already-listed"), 2_000));
        assert!(stands(&problem("1 of the subjects can't be blocked or lifted", "not-listed"), 1));
        for (detail, code) in
            [("1 of the subjects can't", "already-listed"), ("2 of the subjects", "licensed"), ("the list went on", "")]
        {
            assert!(!stands(&problem(detail, code), 2), "{detail}: one of two was lifted since, or is somebody's now");
        }
    }

    #[test]
    fn the_person_of_a_token_is_its_sub() {
        // RFC 7519 section 3.1 has a token without one.
        assert_eq!(person("e30.eyJzdWIiOiJjbGVyay0xIn0.x"), "clerk-1");
        assert_eq!(
            person(
                "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.x"
            ),
            ""
        );
        assert_eq!(person("opaque"), "");
    }
}
