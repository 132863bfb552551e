//! One clerk at work: reads an operator, and writes on the version that was read.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::Failure;

/// How often a request is sent again because there were too many; each time a second or so has passed.
const TOO_FAST_MAX: u32 = 30;

/// Where licensing is, and who asks.
#[derive(Debug, Clone)]
pub struct Place {
    /// Base URL of licensing, without a trailing slash.
    pub url: String,
    /// A token of the person.
    pub token: String,
}

/// See the module's text.
pub struct Clerk {
    http: reqwest::Client,
    place: Place,
}

/// An operator as licensing shows it, and the entity tag of that version.
pub struct Shown {
    /// The JSON.
    pub body: Value,
    /// The ETag.
    pub tag: String,
}

/// What licensing answers, refusals for other reasons aside.
enum Answer {
    Shown(Shown),
    TooFast { wait: Duration, refusal: Failure },
}

impl Clerk {
    /// Opens no connection yet.
    pub fn new(place: Place) -> Self {
        Self { http: reqwest::Client::new(), place }
    }

    /// A resource of licensing.
    ///
    /// # Errors
    /// [`Failure`]: it does not answer, or refuses.
    pub async fn get(&self, path: &str) -> Result<Shown, Failure> {
        self.send(Method::GET, path, None, None).await
    }

    /// What a query finds.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn find(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.place.url))
            .map_err(|error| Failure::usage(format!("{} is no URL", self.place.url)).because(&error))?;
        url.query_pairs_mut().extend_pairs(query);
        let rest = url.query().unwrap_or_default().to_owned();
        Ok(self.get(&format!("{path}?{rest}")).await?.body)
    }

    /// The operator, or `None` when it is not in the register.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn operator(&self, id: &str) -> Result<Option<Shown>, Failure> {
        match self.get(&format!("/v1/operators/{id}")).await {
            Ok(shown) => Ok(Some(shown)),
            Err(failure) if failure.text.contains("not-found") => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Takes an operator into the register, or changes who it is.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn put(&self, id: &str, entity: &Value, tag: Option<&str>) -> Result<Shown, Failure> {
        self.send(Method::PUT, &format!("/v1/operators/{id}"), tag, Some(entity)).await
    }

    /// Has something done to an operator, on the version it has now.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn post(&self, id: &str, rest: &str, body: Option<&Value>) -> Result<Shown, Failure> {
        let path = format!("/v1/operators/{id}");
        self.post_at(&path, &format!("{path}{rest}"), body).await
    }

    /// Posts to a path, on the version that another path has now.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn post_at(&self, read: &str, path: &str, body: Option<&Value>) -> Result<Shown, Failure> {
        let tag = self.get(read).await?.tag;
        self.send(Method::POST, path, Some(&tag), body).await
    }

    /// Proposes a decision; gives the id under which another may confirm it.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn propose(&self, id: &str, decision: &Value, ground: &Value) -> Result<String, Failure> {
        let proposal = uuid::Uuid::new_v4().to_string();
        let body = json!({"id": proposal, "decision": decision, "ground": ground});
        self.post(id, "/proposals", Some(&body)).await?;
        Ok(proposal)
    }

    /// Confirms another's proposal; with a ground: takes up what an operator asked for, which another confirms then.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn confirm(&self, id: &str, proposal: &str, ground: Option<&Value>) -> Result<Shown, Failure> {
        let body = ground.map(|ground| json!({"ground": ground}));
        self.post(id, &format!("/proposals/{proposal}/confirmation"), body.as_ref()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        tag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Shown, Failure> {
        let mut waits = 0..TOO_FAST_MAX;
        loop {
            match self.try_send(method.clone(), path, tag, body).await? {
                Answer::Shown(shown) => return Ok(shown),
                // Nothing was done, so it may be sent again as it is.
                Answer::TooFast { wait, .. } if waits.next().is_some() => tokio::time::sleep(wait).await,
                Answer::TooFast { refusal, .. } => return Err(refusal),
            }
        }
    }

    async fn try_send(
        &self,
        method: Method,
        path: &str,
        tag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let url = format!("{}{path}", self.place.url);
        let mut request = self.http.request(method, &url).bearer_auth(&self.place.token);
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let cannot = |error: reqwest::Error| Failure::unreachable(format!("could not ask {url}")).because(&error);
        let answer = request.send().await.map_err(cannot)?;
        let (status, tag) = (answer.status(), answer.headers().get("etag").cloned());
        let tag = tag.and_then(|tag| tag.to_str().ok().map(str::to_owned)).unwrap_or_default();
        let after = answer.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse().ok());
        let body: Value = answer.json().await.map_err(cannot)?;
        if status.is_success() {
            return Ok(Answer::Shown(Shown { body, tag }));
        }
        let word = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let refusal = Failure::bad(format!("{} {}: {}", status.as_u16(), word("code"), word("detail")));
        match (status, after) {
            (StatusCode::TOO_MANY_REQUESTS, Some(seconds)) => {
                Ok(Answer::TooFast { wait: Duration::from_secs(seconds), refusal })
            }
            _ => Err(refusal),
        }
    }
}
