//! Questions between services: request and reply over core NATS, outside every stream's subjects.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{HeaderMap, Request, RequestErrorKind};
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use tracing::Instrument;

use crate::connect::Bus;
use crate::headers::Headers;

/// Questions one process answers at a time; more wait.
const ANSWERS_AT_ONCE: usize = 8;
/// The header in which an answer says that it is none, as the NATS services protocol names it.
const ERROR_HEADER: &str = "Nats-Service-Error";
/// Pause before subscribing again after the subscription failed.
const RESUBSCRIBE_DELAY: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Nobody answers this subject now.
    #[error("nobody answers {0}")]
    Nobody(String),
    /// No answer in time, or the connection was lost.
    #[error("no answer from {0} in time")]
    Late(String),
    /// The one asked could not answer, and says why.
    #[error("{subject} could not answer: {reason}")]
    Failed {
        /// Who was asked.
        subject: String,
        /// What it says.
        reason: String,
    },
    /// The question is larger than the server takes.
    #[error("the question is too large")]
    TooLarge,
}

/// Answers questions until dropped.
#[derive(Debug)]
pub struct Answering(tokio::task::JoinHandle<()>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Handler = Arc<dyn Fn(Bytes) -> BoxFuture<'static, Result<Bytes, String>> + Send + Sync>;

impl Bus {
    /// Asks whoever answers `subject`.
    ///
    /// # Errors
    /// [`AskError`], within `timeout`.
    pub async fn ask(&self, subject: &str, question: Bytes, timeout: Duration) -> Result<Bytes, AskError> {
        let mut headers = Headers::new();
        headers.inject_trace();
        let mut request = Request::new().payload(question).timeout(Some(timeout));
        if !headers.0.is_empty() {
            request = request.headers(headers.0);
        }
        let asked = tokio::time::timeout(timeout, self.inner.client.send_request(subject.to_owned(), request)).await;
        let answer = match asked {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(match error.kind() {
                    RequestErrorKind::NoResponders => AskError::Nobody(subject.to_owned()),
                    RequestErrorKind::MaxPayloadExceeded => AskError::TooLarge,
                    _ => AskError::Late(subject.to_owned()),
                });
            }
            Err(_) => return Err(AskError::Late(subject.to_owned())),
        };
        match answer.headers.as_ref().and_then(|headers| headers.get(ERROR_HEADER)) {
            Some(reason) => Err(AskError::Failed { subject: subject.to_owned(), reason: reason.to_string() }),
            None => Ok(answer.payload),
        }
    }

    /// Answers the questions on `subject`, a few at a time; processes of the same name share them. A handler's error is told
    /// to the asker.
    pub fn answer<F, A>(&self, subject: &str, handler: F) -> Answering
    where
        F: Fn(Bytes) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Bytes, String>> + Send + 'static,
    {
        let handler: Handler = Arc::new(move |question| Box::pin(handler(question)));
        Answering(tokio::spawn(answer_all(self.clone(), subject.to_owned(), handler)))
    }
}

async fn answer_all(bus: Bus, subject: String, handler: Handler) {
    loop {
        match bus.inner.client.queue_subscribe(subject.clone(), bus.inner.source.clone()).await {
            // Kept by the client through reconnects.
            Ok(questions) => {
                let one = |question| answer_one(&bus, &handler, question);
                questions.for_each_concurrent(ANSWERS_AT_ONCE, one).await;
            }
            Err(error) => tracing::warn!(%error, "cannot subscribe to {subject}"),
        }
        tokio::time::sleep(RESUBSCRIBE_DELAY).await;
    }
}

async fn answer_one(bus: &Bus, handler: &Handler, question: async_nats::Message) {
    let Some(reply) = question.reply else { return };
    let span = tracing::info_span!("answer", subject = %question.subject);
    Headers(question.headers.unwrap_or_default()).continue_trace(&span);
    let answered = match handler(question.payload).instrument(span).await {
        Ok(answer) => bus.inner.client.publish(reply, answer).await,
        Err(reason) => {
            let mut headers = HeaderMap::new();
            headers.insert(ERROR_HEADER, reason.replace(['\r', '\n'], " "));
            bus.inner.client.publish_with_headers(reply, headers, Bytes::new()).await
        }
    };
    if let Err(error) = answered {
        tracing::warn!(%error, "an answer was not sent");
    }
}
