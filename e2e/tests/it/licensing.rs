//! The walk of docs/LICENSING.md, line by line; then an OAuth library of others, and what a decision does to the rest of the mesh.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::pages::{blocks, python, root, shell, walk};
use crate::world::{World, calm_turn, until};

/// The operator of the walk.
const OPERATOR: &str = "5d0c6f0e-3a52-4b0e-9f6b-6c1f6a1d2e3f";
/// What a decision may take until every service follows it.
const FOLLOWED: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_walks_to_the_market_and_decisions_take_effect_within_a_second() {
    let _turn = calm_turn().await;
    let world = World::with_sandbox().await;
    let told = shell(&world, &walk("docs/LICENSING.md"));
    assert!(told.contains("live") && told.contains("clerk-2"), "{told}");
    let mesh = world.mesh();
    certificate_is_good(&world);
    let mut seq = third_party(&world).await;

    // A token that was given; then the licence is suspended, then the key revoked.
    let (pem, kid) = (world.dir().join("live.pem"), key_id(&world));
    std::fs::create_dir_all(world.dir().join("keys/operators")).expect("a folder");
    std::fs::copy(&pem, world.dir().join(format!("keys/operators/{OPERATOR}.live.pem"))).expect("copies");
    std::fs::copy(world.dir().join("test.pem"), world.dir().join(format!("keys/operators/{OPERATOR}.test.pem")))
        .expect("copies");
    let token = world.token(OPERATOR.parse().expect("a UUID"), "");
    the_operator_asks_for_its_next_key(&world);
    let decide = |decision: &str| {
        shell(
            &world,
            &format!(
                "ground=(--law a --document b --document-file order.txt)\n\
                 dsom operator confirm {OPERATOR} \"$({decision} \"${{ground[@]}}\")\" --as clerk-2"
            ),
        );
        Instant::now()
    };
    let send = async |seq: u64| -> (u16, Value) {
        let record = json!({
            "seq": seq, "id": uuid::Uuid::new_v4(), "type": "wager", "at": at_now(), "amount": 100, "currency": "UAH",
            "channel": "web", "vertical": "betting", "game": "football", "round": "1",
        });
        let request =
            world.http.post(format!("{}/v1/streams/0/batches", mesh.ingest)).bearer_auth(&token).json(&record);
        let answer = request.send().await.expect("answers");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    };
    let flags = async |seq: u64| {
        let url = format!("{}/v1/records/{OPERATOR}/0/{seq}", mesh.chaining);
        let answer = world.http.get(url).bearer_auth(&token).send().await.ok()?;
        let flags = answer.headers().get("dsom-flags").map(|flags| flags.to_str().expect("text").to_owned());
        answer.status().is_success().then(|| flags.unwrap_or_default())
    };
    assert_eq!(send(seq).await.0, 201);
    assert_eq!(until("a record", MOMENT, || flags(seq)).await, "");
    let decided = decide(&format!("dsom licence suspend {OPERATOR} 1 --reason c"));
    let flagged = loop {
        seq += 1;
        assert_eq!(send(seq).await.0, 201, "wagers are recorded all the same");
        let sent = decided.elapsed();
        if until("a record", MOMENT, || flags(seq)).await == "after-suspension" {
            break sent;
        }
        assert!(sent < FOLLOWED, "wagers are not flagged {sent:?} after the suspension");
    };
    println!("wagers are flagged {flagged:?} after the suspension was confirmed");
    let inspector = shell(&world, "dsom token --person inspector-1 --role inspector");
    let url = format!("{}/v1/records/{OPERATOR}/0/{seq}", mesh.chaining);
    let seen = world.http.get(url).bearer_auth(inspector.trim()).send().await.expect("answers");
    assert_eq!(seen.headers()["dsom-flags"], "after-suspension", "the regulator sees it");

    let decided = decide(&format!("dsom operator revoke-key {OPERATOR} {kid} --reason c"));
    // When the first request was sent that was not let in; none may be let in after it. A token of the very second of the revocation
    // might be of a key that was registered after it: 503, until licensing's next beat says that there is none, and 401 from then on.
    let cut = async |url: String| {
        let mut since = None;
        loop {
            let sent = decided.elapsed();
            let answer = world.http.get(&url).bearer_auth(&token).send().await.expect("answers");
            let (status, said) = (answer.status().as_u16(), answer.text().await.expect("text"));
            match status {
                401 => break since.unwrap_or(sent),
                // For this reason alone: what else is away may have let the token in before it was looked for.
                503 if said.contains("what the register decided last") => since = since.or(Some(sent)),
                _ => {
                    assert!(
                        since.is_none() && sent < FOLLOWED,
                        "{url} takes a token of a revoked key {sent:?} after: {status} {said}"
                    )
                }
            }
            assert!(sent < MOMENT, "{url} does not say why: {said}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let (ingest, chaining) = tokio::join!(
        cut(format!("{}/v1/streams", mesh.ingest)),
        cut(format!("{}/v1/chains/{OPERATOR}", mesh.chaining))
    );
    println!("tokens are cut {ingest:?} (ingest) and {chaining:?} (chaining) after the key was revoked");
}

/// How long a record may take until it can be read.
const MOMENT: Duration = Duration::from_secs(10);

fn at_now() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    contracts::UnixMillis(now.as_millis() as i64).to_string()
}

fn key_id(world: &World) -> String {
    let request = std::fs::read_to_string(world.dir().join("live-key.json")).expect("the walk wrote it");
    let request: Value = serde_json::from_str(&request).expect("JSON");
    request["kid"].as_str().expect("a kid").to_owned()
}

/// joserfc reads the certificate that the walk wrote.
fn certificate_is_good(world: &World) {
    let Some(python) = python() else { return };
    let mut reader = Command::new(python);
    reader.arg(root().join("e2e/python/certificate.py")).arg(world.dir().join("keys/conformance.jwks.json"));
    let ran = reader.arg(world.dir().join("certificate.txt")).output().expect("python runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let claims: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&claims["sub"], &claims["result"]), (&json!(OPERATOR), &json!("passed")));
    assert_eq!(claims["checks"].as_array().map(Vec::len), Some(7));
}

/// The blocks of "Tokens, for an operator's engineer", as they are typed: the operator asks, two clerks answer.
fn the_operator_asks_for_its_next_key(world: &World) {
    let typed = blocks("docs/LICENSING.md", "Tokens, for an operator's engineer");
    let [ask, answer] = &typed[..] else { panic!("other blocks: {typed:?}") };
    let token = world.token(OPERATOR.parse().expect("a UUID"), "keys:propose");
    let given = format!("OPERATOR={OPERATOR} LICENSING={} TOKEN={token}\n", world.mesh().licensing);
    let said = shell(world, &format!("{given}{ask}"));
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    let proposal = said["requests"][0]["id"].as_str().unwrap_or_else(|| panic!("nothing waits: {said}")).to_owned();
    std::fs::write(world.dir().join("letter.pdf"), "asked back by telephone").expect("writes");
    let said = shell(world, &format!("OPERATOR={OPERATOR} PROPOSAL={proposal}\n{answer}"));
    let request = std::fs::read_to_string(world.dir().join("request.json")).expect("the block wrote it");
    let request: Value = serde_json::from_str(&request).expect("JSON");
    assert_eq!(request["id"], json!(proposal));
    let before = std::fs::read_to_string(world.dir().join("keys.json")).expect("the block wrote it");
    assert!(before.contains("\"keys\":[{"), "{before}");
    // The walk registered one key of the market.
    let registered = said.lines().filter(|line| line.starts_with("  key ") && line.contains(" live until ")).count();
    // Shown after the first clerk with one of them, after the second with both.
    assert_eq!(registered, 3, "{said}");
}

/// Authlib gets a token and posts the operator's first record; gives the next seq.
async fn third_party(world: &World) -> u64 {
    let mesh = world.mesh();
    let Some(python) = python() else { return 1 };
    let mut client = Command::new(python);
    client.arg(root().join("e2e/python/oauth_client.py")).arg(format!("{}/oauth2/token", mesh.licensing));
    client.args([&mesh.issuer, &format!("dsom_live_{OPERATOR}"), &key_id(world)]);
    let ran = client.arg(world.dir().join("live.pem")).arg(&mesh.ingest).output().expect("python runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    let said: Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!((&said["status"], &said["scope"]), (&json!(201), &json!("records:write records:read")), "{said}");
    assert_eq!(said["body"]["claims"]["operator"], json!(OPERATOR));
    2
}
