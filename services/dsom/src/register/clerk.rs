//! One clerk at work: reads an operator, and writes on the version that was read.

use std::time::Duration;

use contracts::OperatorId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::problem::Problem;
use super::route::Route;
use crate::{Failure, out};

/// How often a request is sent again because there were too many; each time a second or so has passed.
const TOO_FAST_MAX: u32 = 30;

/// Where licensing is, and who asks.
#[derive(Debug, Clone)]
pub struct Place {
    /// Base URL of licensing, without a trailing slash.
    pub url: String,
    /// A token of the person; what everybody may read needs none.
    pub token: Option<String>,
}

/// See the module's text.
pub struct Clerk {
    http: reqwest::Client,
    place: Place,
}

/// A resource as licensing shows it, and the entity tag of that version.
pub struct Shown {
    /// The JSON.
    pub body: Value,
    /// The ETag.
    pub tag: String,
}

/// What comes back.
struct Answer {
    status: StatusCode,
    tag: String,
    /// `Retry-After`.
    after: Option<Duration>,
    body: Vec<u8>,
}

impl Clerk {
    /// Opens no connection yet.
    pub fn new(place: Place) -> Self {
        Self { http: reqwest::Client::new(), place }
    }

    /// The token, where there is one.
    pub fn token(&self) -> &str {
        self.place.token.as_deref().unwrap_or_default()
    }

    /// A resource of licensing.
    ///
    /// # Errors
    /// [`Failure`]: it does not answer, or refuses.
    pub async fn get(&self, route: &Route) -> Result<Shown, Failure> {
        self.shown(Method::GET, route, None, None).await?.map_err(|problem| problem.failure())
    }

    /// A resource that is text.
    ///
    /// # Errors
    /// As [`Clerk::get`].
    pub async fn text(&self, route: &Route) -> Result<String, Failure> {
        let answer = self.send(Method::GET, route, None, None).await?;
        match answer.status.is_success() {
            true => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
            false => Err(self.refusal(route, &answer)?.failure()),
        }
    }

    /// Every page of a list, one after another, for as long as somebody reads what is printed.
    ///
    /// # Errors
    /// As [`Clerk::get`].
    pub async fn pages(&self, route: Route, mut each: impl FnMut(&Value)) -> Result<(), Failure> {
        let mut page = route.clone();
        loop {
            let shown = self.get(&page).await?.body;
            each(&shown);
            let next = match shown.get("next") {
                Some(Value::String(next)) => next.clone(),
                Some(Value::Number(next)) => next.to_string(),
                _ => return Ok(()),
            };
            if !out::is_heard() {
                return Ok(());
            }
            page = route.clone().ask("after", next);
        }
    }

    /// The operator, or `None` when it is not in the register.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn operator(&self, operator: OperatorId) -> Result<Option<Shown>, Failure> {
        match self.shown(Method::GET, &Route::operator(operator), None, None).await? {
            Ok(shown) => Ok(Some(shown)),
            Err(problem) if problem.code == "not-found" => Ok(None),
            Err(problem) => Err(problem.failure()),
        }
    }

    /// Takes an operator into the register, or changes who it is.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn put(&self, operator: OperatorId, entity: &Value, tag: Option<&str>) -> Result<Shown, Failure> {
        let route = Route::operator(operator);
        self.shown(Method::PUT, &route, tag, Some(entity)).await?.map_err(|problem| problem.failure())
    }

    /// Has something done to an operator, on the version it has now; `rest` leads on from the operator.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn post(
        &self,
        operator: OperatorId,
        rest: impl FnOnce(Route) -> Route,
        body: Option<&Value>,
    ) -> Result<Shown, Failure> {
        let read = Route::operator(operator);
        self.post_at(&read, &rest(read.clone()), body).await
    }

    /// Posts to a path, on the version that another path has now.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn post_at(&self, read: &Route, route: &Route, body: Option<&Value>) -> Result<Shown, Failure> {
        self.try_post_at(read, route, body).await?.map_err(|problem| problem.failure())
    }

    /// The same, for who can do something about a refusal.
    ///
    /// # Errors
    /// [`Failure`]: it does not answer, or does not show what is to be written on.
    pub async fn try_post_at(
        &self,
        read: &Route,
        route: &Route,
        body: Option<&Value>,
    ) -> Result<Result<Shown, Problem>, Failure> {
        let tag = self.get(read).await?.tag;
        self.shown(Method::POST, route, Some(&tag), body).await
    }

    /// Proposes a decision; gives the id under which another may confirm it.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn propose(&self, operator: OperatorId, decision: &Value, ground: &Value) -> Result<Uuid, Failure> {
        let proposal = Uuid::new_v4();
        let body = json!({"id": proposal, "decision": decision, "ground": ground});
        self.post(operator, |it| it.then("/proposals"), Some(&body)).await?;
        Ok(proposal)
    }

    /// Confirms another's proposal; with a ground: takes up what an operator asked for, which another confirms then.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn confirm(
        &self,
        operator: OperatorId,
        proposal: Uuid,
        ground: Option<&Value>,
    ) -> Result<Shown, Failure> {
        let body = ground.map(|ground| json!({"ground": ground}));
        self.post(operator, |it| it.then("/proposals").id(proposal).then("/confirmation"), body.as_ref()).await
    }

    async fn shown(
        &self,
        method: Method,
        route: &Route,
        tag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Result<Shown, Problem>, Failure> {
        let answer = self.send(method, route, tag, body).await?;
        if !answer.status.is_success() {
            return self.refusal(route, &answer).map(Err);
        }
        let body = serde_json::from_slice(&answer.body);
        let body = body.map_err(|error| Failure::unreachable(self.no_service(route, &answer)).because(&error))?;
        Ok(Ok(Shown { body, tag: answer.tag }))
    }

    /// The refusal that an answer is.
    fn refusal(&self, route: &Route, answer: &Answer) -> Result<Problem, Failure> {
        Problem::read(&answer.body).ok_or_else(|| Failure::unreachable(self.no_service(route, answer)))
    }

    /// What a proxy says, or somebody else altogether.
    fn no_service(&self, route: &Route, answer: &Answer) -> String {
        format!("{}{route} answered {}, not as a service of DSOM does", self.place.url, answer.status)
    }

    async fn send(
        &self,
        method: Method,
        route: &Route,
        tag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let mut waits = 0..TOO_FAST_MAX;
        loop {
            let answer = self.try_send(method.clone(), route, tag, body).await?;
            match answer.after.filter(|_| answer.status == StatusCode::TOO_MANY_REQUESTS) {
                // Nothing was done, so it may be sent again as it is.
                Some(wait) if waits.next().is_some() => tokio::time::sleep(wait).await,
                _ => return Ok(answer),
            }
        }
    }

    async fn try_send(
        &self,
        method: Method,
        route: &Route,
        tag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Failure> {
        let url = format!("{}{route}", self.place.url);
        let mut request = self.http.request(method, &url);
        if let Some(token) = &self.place.token {
            request = request.bearer_auth(token);
        }
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let cannot = |error: reqwest::Error| Failure::unreachable(format!("could not ask {url}")).because(&error);
        let answer = request.send().await.map_err(cannot)?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        let (status, tag) = (answer.status(), header("etag").unwrap_or_default().to_owned());
        let after = header("retry-after").and_then(|after| after.parse().ok()).map(Duration::from_secs);
        let body = answer.bytes().await.map_err(cannot)?.to_vec();
        Ok(Answer { status, tag, after, body })
    }
}
