//! Serves a service's routes over HTTP, with what every service has: limits, request ids, problems, health and metrics.
//!
//! Nothing here is generic, so actix-web's server is compiled once, in this crate.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, Resource, Route, web};
use contracts::problems::Code;

use crate::auth::Auth;
use crate::pages::OpenApi;
use crate::people::People;
use crate::{ApiError, Health, health, metrics, pages, request};

/// Idle connections stay open this long: operators send often, and TLS handshakes cost.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The head of a request must arrive in this time; bodies have their own deadline where they are read.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections an HTTP thread serves at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// Requests in hand at a stop may take this long: more than the slowest commit.
const DRAIN_S_MAX: u64 = 30;

/// Adds a service's own routes and data.
pub type Configure = Arc<dyn Fn(&mut web::ServiceConfig) + Send + Sync>;

/// Where and how to serve.
#[derive(Debug, Clone, serde::Deserialize)]
pub struct ServeConfig {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// HTTP threads; 0 is one a core.
    #[serde(default)]
    pub workers: usize,
}

/// What to serve.
pub struct Service {
    /// The service's routes and data.
    pub configure: Configure,
    /// Its readiness.
    pub health: Health,
    /// Who may call; needed as soon as a handler takes a [`crate::Caller`].
    pub auth: Option<Arc<Auth>>,
    /// Which people may call; needed as soon as a handler takes a [`crate::Person`].
    pub people: Option<Arc<People>>,
    /// Its OpenAPI document, as JSON.
    pub openapi: String,
}

/// A server that runs until stopped.
pub struct Running {
    addr: SocketAddr,
    handle: ServerHandle,
    server: actix_rt::task::JoinHandle<io::Result<()>>,
    health: Health,
}

/// Fails when something listens on a service's address already. A start asks this before it touches anything that it shares with
/// others: a process that can't serve must not join a mesh, least of all one of another store.
///
/// # Errors
/// The address is in use, or not this machine's.
pub fn require_free(listen: SocketAddr) -> io::Result<()> {
    std::net::TcpListener::bind(listen).map(drop)
}

/// A path and the one method it knows; every other is answered 405 with `Allow`. A bare route would say that there is no such resource,
/// since actix-web moves its method to the resource. A HEAD is answered where a GET is.
pub fn at(path: &str, route: Route) -> Resource {
    web::resource(path).route(route)
}

/// Starts serving. Call it inside an actix system or a tokio runtime.
///
/// # Errors
/// When the address can't be bound.
pub fn start(config: &ServeConfig, service: Service) -> io::Result<Running> {
    metrics::install();
    metrics::watch(&service.health);
    let Service { configure, health, auth, people, openapi } = service;
    let openapi = web::Data::new(OpenApi(openapi));
    let ready = web::Data::new(health.clone());
    let mut server = HttpServer::new(move || {
        let mut app = App::new().app_data(ready.clone()).app_data(openapi.clone());
        if let Some(auth) = &auth {
            app = app.app_data(Arc::clone(auth));
        }
        if let Some(people) = &people {
            app = app.app_data(Arc::clone(people));
        }
        // The service's own routes first: they are tried in order.
        app.wrap(from_fn(request::around))
            .configure(|routes| configure(routes))
            .service(at("/healthz", web::get().to(health::healthz)))
            .service(at("/readyz", web::get().to(health::readyz)))
            .service(at("/metrics", web::get().to(metrics::page)))
            .service(at("/problems", web::get().to(pages::all)))
            .service(at("/problems/{code}", web::get().to(pages::one)))
            .service(at("/openapi.json", web::get().to(pages::openapi)))
            .default_service(web::to(not_found))
    })
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .max_connections(CONNECTIONS_MAX)
    .shutdown_timeout(DRAIN_S_MAX)
    .disable_signals();
    if config.workers > 0 {
        server = server.workers(config.workers);
    }
    let server = server.bind(config.listen)?;
    let addr = server.addrs().first().copied().ok_or_else(|| io::Error::other("no address was bound"))?;
    let server = server.run();
    let handle = server.handle();
    tracing::info!(%addr, "serving");
    Ok(Running { addr, handle, server: actix_rt::spawn(server), health })
}

impl Running {
    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Waits until something is lost that does not come back while the process runs, and says what and why.
    pub async fn lost(&self) -> String {
        let (name, why) = self.health.lost().await;
        format!("{name}: {why}")
    }

    /// Stops: not ready first, then requests in hand are finished.
    pub async fn stop(self) {
        self.health.drain();
        self.handle.stop(true).await;
        if let Ok(Err(error)) = self.server.await {
            tracing::warn!(%error, "the server ended badly");
        }
    }
}

async fn not_found() -> Result<&'static str, ApiError> {
    Err(ApiError::new(Code::NotFound, "no such resource"))
}
