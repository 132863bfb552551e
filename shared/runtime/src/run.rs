//! Runs a service's process from its start to its stop, so that its `main.rs` is one call.

use std::fmt::Display;
use std::future::Future;
use std::io::Read;
use std::process::ExitCode;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::{Running, config, problem, telemetry};

/// How long a process that lost something vital may take to close what it has.
const LOST_CLOSE_MAX: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Loads the configuration, sets telemetry up, starts the service in an actix system over a multi-threaded tokio, and
/// stops it at SIGTERM or SIGINT. `start` gives back the server and what to do after the last request was answered.
///
/// It ends as failed when something vital is lost ([`Health::vital`](crate::Health::vital)), so that it is started again.
///
/// With `DSOM_STOP_WITH_STDIN=1` it stops when standard input ends, too: so a supervisor's death, however sudden, stops it.
pub fn main<C, S, F, D, E>(service: &'static str, start: S) -> ExitCode
where
    C: DeserializeOwned,
    S: FnOnce(C) -> F + 'static,
    F: Future<Output = Result<(Running, D), E>>,
    D: Future<Output = ()>,
    E: Into<Failure>,
{
    match guarded(service, start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let line = problem::chain(&*failure);
            tracing::error!(service, error = %line, "the service can't run");
            complain(&line);
            ExitCode::FAILURE
        }
    }
}

/// Loads the configuration and runs one job to its end, as a process of its own: for `dsom-<service> migrate` and the like.
pub fn once<C, J, F, E>(service: &'static str, job: J) -> ExitCode
where
    C: DeserializeOwned,
    J: FnOnce(C) -> F,
    F: Future<Output = Result<(), E>>,
    E: Into<Failure>,
{
    let ran = || -> Result<(), Failure> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let config = config::load(service)?;
        runtime.block_on(job(config)).map_err(Into::into)
    };
    match ran() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&problem::chain(&*failure));
            ExitCode::FAILURE
        }
    }
}

/// Prints a line of JSON for the program that started this one: what [`once`] is at, or has done.
#[expect(clippy::print_stdout, reason = "what the process is asked for")]
pub fn tell(line: &serde_json::Value) {
    println!("{line}");
}

fn guarded<C, S, F, D, E>(service: &'static str, start: S) -> Result<(), Failure>
where
    C: DeserializeOwned,
    S: FnOnce(C) -> F + 'static,
    F: Future<Output = Result<(Running, D), E>>,
    D: Future<Output = ()>,
    E: Into<Failure>,
{
    // Several crates bring a TLS; without a choice rustls would panic. An earlier choice stands.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let config = config::load(service)?;
    let telemetry = {
        let _inside = runtime.enter();
        telemetry::init(service)?
    };
    let ended = actix_rt::System::with_tokio_rt(move || runtime).block_on(async move {
        let mut stop = Stop::watch()?;
        let (running, after) = tokio::select! {
            started = start(config) => started.map_err(Into::into)?,
            reason = stop.wait() => {
                tracing::info!(service, reason, "stopped before it was started");
                return Ok(());
            }
        };
        let lost = tokio::select! {
            reason = stop.wait() => {
                tracing::info!(service, reason, "stopping");
                None
            }
            lost = running.lost() => {
                tracing::error!(service, lost, "ending, to be started again");
                Some(lost)
            }
        };
        let closed = async {
            running.stop().await;
            after.await;
        };
        match lost {
            None => closed.await,
            // What is lost may be what the rest waits for.
            Some(_) => tokio::time::timeout(LOST_CLOSE_MAX, closed).await.unwrap_or_default(),
        }
        tracing::info!(service, "stopped");
        lost.map_or(Ok(()), |lost| Err(lost.into()))
    });
    drop(telemetry);
    ended
}

/// The ways to be told to stop.
struct Stop {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
    stdin: oneshot::Receiver<()>,
    // Keeps `stdin` pending for ever when nobody watches standard input.
    _never: Option<oneshot::Sender<()>>,
}

impl Stop {
    fn watch() -> std::io::Result<Self> {
        let (ended, stdin) = oneshot::channel();
        let never = if std::env::var("DSOM_STOP_WITH_STDIN").is_ok_and(|value| value == "1") {
            // A thread of its own: tokio's would hold up the runtime's end in a read that nothing interrupts.
            std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
                let mut stdin = std::io::stdin().lock();
                let mut bytes = [0; 64];
                while stdin.read(&mut bytes).is_ok_and(|read| read > 0) {}
                let _ = ended.send(());
            })?;
            None
        } else {
            Some(ended)
        };
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())?, stdin, _never: never })
    }

    async fn wait(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
            _ = &mut self.stdin => "the end of standard input",
        }
    }
}

/// For whoever started it by hand, also when logs are not set up yet.
#[expect(clippy::print_stderr, reason = "the process's last word")]
fn complain(line: &dyn Display) {
    eprintln!("error: {line}");
}
