//! Takes a development operator the whole way: application, licences of every kind, keys, certificate, live. Two development clerks decide.

use std::time::{SystemTime, UNIX_EPOCH};

use client::TokenConfig;
use contracts::receipt::Env;
use contracts::{OperatorId, UnixMillis};
use serde_json::{Value, json};

use super::clerk::{Clerk, Place};
use super::keys::OperatorKey;
use super::route::Route;
use crate::Failure;
use crate::mesh::{Layout, keys};

/// The licences a development operator gets, so that whatever it sends is covered.
const KINDS: [&str; 6] = ["online_casino", "land_casino", "machine_hall", "betting", "online_poker", "lottery"];
/// How long its licences hold, in days.
const LICENCE_DAYS: i64 = 5 * 365;
/// How long its keys may be used, in days.
const KEY_DAYS: i64 = 365;

/// Makes sure that an operator is live in the register of a development mesh. What is done already is not done again, so that a way
/// that was broken off is gone to its end. `licensing` is its base URL. Gives what the operator's client for that world asks for tokens with.
///
/// # Errors
/// [`Failure`]: licensing does not answer or refuses, or the development keys are not there.
pub async fn enrol(
    layout: &Layout,
    licensing: &str,
    operator: OperatorId,
    env: Env,
    scope: &str,
) -> Result<TokenConfig, Failure> {
    let live = OperatorKey::ensure(layout, operator, "live")?;
    let test = OperatorKey::ensure(layout, operator, "test")?;
    let issuer = issuer(licensing).await?;
    let way = Way::new(layout, licensing, operator, &issuer)?;
    way.go(layout, &live, &test).await?;
    let key = match env {
        Env::Live => &live,
        Env::Test => &test,
    };
    client(licensing, &issuer, operator, env, key, scope)
}

/// Has a further test key of a development operator registered, to which it may go over; gives what tokens are asked for with.
///
/// # Errors
/// As [`enrol`].
pub async fn next_test_key(layout: &Layout, licensing: &str, operator: OperatorId) -> Result<TokenConfig, Failure> {
    let key = OperatorKey::ensure(layout, operator, "test-2")?;
    let issuer = issuer(licensing).await?;
    let way = Way::new(layout, licensing, operator, &issuer)?;
    let shown = way.one.operator(way.operator).await?;
    if !shown.is_some_and(|shown| has_key(&shown.body, &key)) {
        way.decide(&way.add_key(&key, "test")).await?;
    }
    client(licensing, &issuer, operator, Env::Test, &key, "")
}

/// What tokens are asked for with, by a key in a file.
///
/// # Errors
/// The key can't be read, or licensing does not answer.
pub async fn test_client(licensing: &str, operator: OperatorId, pem: &std::path::Path) -> Result<TokenConfig, Failure> {
    client(licensing, &issuer(licensing).await?, operator, Env::Test, &OperatorKey::existing(pem)?, "")
}

fn client(
    licensing: &str,
    issuer: &str,
    operator: OperatorId,
    env: Env,
    key: &OperatorKey,
    scope: &str,
) -> Result<TokenConfig, Failure> {
    Ok(TokenConfig {
        endpoint: format!("{licensing}/oauth2/token"),
        issuer: issuer.to_owned(),
        client_id: format!("dsom_{}_{operator}", env.as_str()),
        kid: key.kid.clone(),
        key_der: key.der()?,
        scope: scope.to_owned(),
    })
}

/// Whether an operator that licensing showed has a key.
fn has_key(shown: &Value, key: &OperatorKey) -> bool {
    let keys = shown.get("keys").and_then(Value::as_array);
    keys.is_some_and(|keys| keys.iter().any(|known| known.get("kid").and_then(Value::as_str) == Some(key.kid.as_str())))
}

/// What licensing calls itself (RFC 8414).
pub(super) async fn issuer(licensing: &str) -> Result<String, Failure> {
    let url = format!("{licensing}/.well-known/oauth-authorization-server");
    let cannot = |error: reqwest::Error| Failure::unreachable(format!("could not ask {url}")).because(&error);
    let metadata: Value = reqwest::get(&url).await.map_err(cannot)?.json().await.map_err(cannot)?;
    let issuer = metadata.get("issuer").and_then(Value::as_str).map(str::to_owned);
    issuer.ok_or_else(|| Failure::unreachable(format!("{url} names no issuer")))
}

struct Way<'a> {
    one: Clerk,
    other: Clerk,
    operator: OperatorId,
    issuer: &'a str,
}

impl<'a> Way<'a> {
    fn new(layout: &Layout, licensing: &str, operator: OperatorId, issuer: &'a str) -> Result<Self, Failure> {
        let clerk = |sub: &str| -> Result<Clerk, Failure> {
            let token = Some(keys::person_token(layout, sub, &["clerk"])?);
            Ok(Clerk::new(Place { url: licensing.to_owned(), token }))
        };
        Ok(Self { one: clerk("clerk-1")?, other: clerk("clerk-2")?, operator, issuer })
    }

    async fn go(&self, layout: &Layout, live: &OperatorKey, test: &OperatorKey) -> Result<(), Failure> {
        let shown = match self.one.operator(self.operator).await? {
            Some(shown) => shown.body,
            None => self.one.put(self.operator, &entity(self.operator), None).await?.body,
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let has_key = |key: &OperatorKey| has_key(&shown, key);
        let stage = shown.get("stage").map(&text).unwrap_or_default();
        if stage == "live" && has_key(live) {
            return Ok(());
        }
        let licences = shown.get("licences").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut states = licences.iter().map(|licence| licence.get("state").map(&text));
        for (n, kind) in (1..).zip(KINDS) {
            self.license(n, kind, states.next().flatten().as_deref()).await?;
        }
        for (key, env) in [(live, "live"), (test, "test")] {
            if !has_key(key) {
                self.decide(&self.add_key(key, env)).await?;
            }
        }
        if stage != "live" {
            let certificate = certificate(layout, self.operator)?;
            self.one
                .post(self.operator, |it| it.then("/certificates"), Some(&json!({"certificate": certificate})))
                .await?;
            self.decide(&json!({"type": "go_live"})).await?;
        }
        Ok(())
    }

    /// From wherever a licence is to the register.
    async fn license(&self, n: u32, kind: &str, state: Option<&str>) -> Result<(), Failure> {
        let steps = |it: Route| it.then("/licences").id(n).then("/steps");
        let order = ["applied", "under_review", "approved", "fee_due", "active"];
        let done = state.and_then(|state| order.iter().position(|known| *known == state));
        let todo = |step: usize| done.is_none_or(|done| done < step);
        if done.is_none() {
            self.one.post(self.operator, |it| it.then("/licences"), Some(&json!({"kind": kind}))).await?;
        }
        if todo(1) {
            self.one.post(self.operator, steps, Some(&json!({"type": "review"}))).await?;
        }
        if todo(2) {
            self.decide(&json!({"type": "approve", "licence": n})).await?;
        }
        if todo(3) {
            let bill = json!({"type": "bill", "fee": {"amount": 100, "currency": "UAH"}});
            self.one.post(self.operator, steps, Some(&bill)).await?;
        }
        if todo(4) {
            let pay = json!({"type": "pay", "paid_at": moment(0), "document": "development"});
            let read = Route::operator(self.operator);
            match self.one.try_post_at(&read, &steps(read.clone()), Some(&pay)).await? {
                // Paid before the way was broken off is as good.
                Err(problem) if problem.code != "conflict" => return Err(problem.failure()),
                _ => {}
            }
            // At most 40 characters.
            let number = format!("DEV-{}-{n}", self.operator.to_string().replace('-', ""));
            let activate =
                json!({"type": "activate", "licence": n, "number": number, "expires": moment(LICENCE_DAYS * 86_400)});
            self.decide(&activate).await?;
        }
        Ok(())
    }

    fn add_key(&self, key: &OperatorKey, env: &str) -> Value {
        json!({
            "type": "add_key", "jwk": key.jwk, "env": env, "not_before": moment(-60), "expires": moment(KEY_DAYS * 86_400),
            "proof": proof(key, self.operator, self.issuer, env),
        })
    }

    async fn decide(&self, decision: &Value) -> Result<(), Failure> {
        let ground =
            json!({"law": "development", "document": "development", "document_hash": contracts::Hash([0; 32])});
        let proposal = self.one.propose(self.operator, decision, &ground).await?;
        self.other.confirm(self.operator, proposal, None).await.map(drop)
    }
}

/// A certificate by the development key: nothing was checked, and it says so.
fn certificate(layout: &Layout, operator: OperatorId) -> Result<String, Failure> {
    let claims = json!({
        "iss": keys::CONFORMANCE_ISSUER, "sub": operator, "iat": moment_s(0), "env": "test", "result": "passed",
        "checklist": keys::UNCHECKED,
    });
    Ok(OperatorKey::new(keys::read_pem(layout, keys::CONFORMANCE)?).jws("dsom-conformance+jwt", &claims))
}

/// The proof that whoever hands a key in holds its private part.
pub(super) fn proof(key: &OperatorKey, operator: OperatorId, issuer: &str, env: &str) -> String {
    let claims = json!({"sub": operator, "aud": issuer, "jkt": key.kid, "env": env, "iat": moment_s(0)});
    key.jws("dsom-pop+jwt", &claims)
}

/// Who a development operator is. Its code is made of its id.
fn entity(operator: OperatorId) -> Value {
    let bytes = operator.as_bytes();
    let seed = bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(257).wrapping_add(u64::from(*byte)));
    json!({
        "edrpou": edrpou(seed), "name": format!("Development {operator}"), "address": "dsom.localhost",
        "email": format!("{operator}@dsom.localhost.test"),
    })
}

/// A code of the first 30 millions with its check digit.
fn edrpou(seed: u64) -> String {
    let number = seed % 3_000_000;
    let digits: Vec<u64> = format!("{number:07}").bytes().map(|byte| u64::from(byte - b'0')).collect();
    let weigh = |first: u64| digits.iter().zip(first..).map(|(digit, weight)| digit * weight).sum::<u64>() % 11;
    let check = if weigh(1) < 10 { weigh(1) } else { weigh(3) % 10 };
    format!("{number:07}{check}")
}

fn moment_s(seconds: i64) -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64) + seconds
}

/// The moment so many seconds from now.
pub(super) fn moment(seconds: i64) -> String {
    UnixMillis(moment_s(seconds) * 1000).to_string()
}

#[cfg(test)]
mod tests {
    use super::edrpou;

    #[test]
    fn codes_have_their_check_digit() {
        // PrivatBank, Naftogaz, Ukrposhta: from the public register.
        for code in ["14360570", "20077720", "21560045"] {
            let number: u64 = code[..7].parse().expect("a number");
            assert_eq!(edrpou(number), code);
        }
    }
}
