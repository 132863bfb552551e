//! One supervised process: started, watched, restarted when it dies, stopped when told to.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Failure;

/// First pause before a restart; it doubles while the process keeps dying young.
const RESTART_FIRST: Duration = Duration::from_millis(100);
/// Longest pause before a restart: a part that is killed again and again must still be back within seconds.
const RESTART_MAX: Duration = Duration::from_secs(1);
/// A process that ran this long has recovered from whatever killed it.
const HEALTHY_AFTER: Duration = Duration::from_secs(10);
/// How long a process may take to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(20);

/// How often a part's health is asked for, where it is watched.
const HEALTH_EVERY: Duration = Duration::from_secs(1);
/// How long an answer may take. A part that does not answer may only be slow: that alone is no reason to end it.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Answers in a row that say that it can't write, after which it is started again.
const UNFIT_ANSWERS: u32 = 3;

/// Told the name of a process that ended and was started again, and how it ended.
pub type OnRestart = Arc<dyn Fn(&'static str, &str) + Send + Sync>;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name in messages and in `mesh.json`.
    pub name: &'static str,
    /// The binary.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Its environment, beside ours.
    pub environment: Vec<(String, String)>,
    /// Where what it prints goes.
    pub log: PathBuf,
    /// Where it says whether it can write, if that is watched.
    pub health: Option<String>,
}

/// A process that is kept running.
pub struct Supervised {
    name: &'static str,
    pid: Arc<AtomicU32>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Supervised {
    /// Starts it; `restarted` is called with its name after every restart.
    ///
    /// # Errors
    /// It could not be started at all.
    pub fn start(plan: Plan, restarted: OnRestart) -> Result<Self, Failure> {
        let child = spawn(&plan)?;
        let pid = Arc::new(AtomicU32::new(child.id().unwrap_or(0)));
        let (stop, stopping) = watch::channel(false);
        let name = plan.name;
        let task = tokio::spawn(watch_over(plan, child, Arc::clone(&pid), stopping, restarted));
        Ok(Self { name, pid, stop, task })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The process id of its current life.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// Asks it to stop, and waits until it has.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // The task ends by itself; it holds nothing that could be lost.
        let _ = self.task.await;
    }
}

fn spawn(plan: &Plan) -> Result<Child, Failure> {
    let cannot = |error: &dyn std::error::Error| {
        Failure::unreachable(format!("could not start {} ({})", plan.name, plan.program.display())).because(error)
    };
    let log = append(&plan.log).map_err(|error| cannot(&error))?;
    let also = log.try_clone().map_err(|error| cannot(&error))?;
    Command::new(&plan.program)
        .args(&plan.arguments)
        .envs(plan.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())))
        // Our services stop when this pipe closes: they do not outlive a supervisor that was killed.
        .stdin(Stdio::piped())
        .stdout(log)
        .stderr(also)
        // Ctrl-C reaches the supervisor alone, which then stops its children in order.
        .process_group(0)
        // When a start is interrupted, nobody is left to ask it.
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| cannot(&error))
}

fn append(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

async fn watch_over(
    plan: Plan,
    mut child: Child,
    pid: Arc<AtomicU32>,
    mut stopping: watch::Receiver<bool>,
    restarted: OnRestart,
) {
    let mut pause = RESTART_FIRST;
    loop {
        // Waiting for a child closes the pipe to it, unless somebody else holds the pipe.
        let _pipe = child.stdin.take();
        let started = Instant::now();
        let how = tokio::select! {
            ended = child.wait() => ended.map_or_else(|error| error.to_string(), |status| status.to_string()),
            why = unfit(plan.health.as_deref()) => {
                end(&mut child).await;
                why
            }
            () = told_to_stop(&mut stopping) => return end(&mut child).await,
        };
        if started.elapsed() > HEALTHY_AFTER {
            pause = RESTART_FIRST;
        }
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = told_to_stop(&mut stopping) => return,
            }
            pause = (pause * 2).min(RESTART_MAX);
            match spawn(&plan) {
                Ok(new) => {
                    child = new;
                    break;
                }
                Err(failure) => restarted(plan.name, &failure.text),
            }
        }
        pid.store(child.id().unwrap_or(0), Ordering::Relaxed);
        restarted(plan.name, &how);
    }
}

/// Also when whoever could tell is gone.
async fn told_to_stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Waits until a part has said several times that it can't write. nats-server 2.15 never writes again to a stream whose disk was full,
/// however much room there is then, and lives on; started again it goes on with what it acknowledged.
async fn unfit(health: Option<&str>) -> String {
    let http = reqwest::Client::builder().timeout(HEALTH_TIMEOUT).build();
    let (Some(url), Ok(http)) = (health, http) else { return std::future::pending().await };
    let mut said = 0;
    loop {
        tokio::time::sleep(HEALTH_EVERY).await;
        let answer = match http.get(url).send().await {
            Ok(answer) if answer.status().as_u16() == 503 => answer.text().await.unwrap_or_default(),
            _ => String::new(),
        };
        said = if answer.contains("write error") { said + 1 } else { 0 };
        if said == UNFIT_ANSWERS {
            return format!("it can't write: {}", answer.trim());
        }
    }
}

/// TERM, and after a while KILL.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id() {
        signal(pid, "TERM").await;
    }
    if tokio::time::timeout(STOP_MAX, child.wait()).await.is_err() {
        // It did not hear; nothing of ours is lost by a kill.
        let _ = child.kill().await;
    }
}

/// Sends a signal by its name, without `unsafe`.
pub async fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await;
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// What nats-server 2.15.1 answered on a full disk, with a shorter path.
    const FULL: &str = r#"{"status":"unavailable","error":"JetStream stream '$G > TX' write error: write 7.blk: no space left on device"}"#;

    /// Answers 503 with each text, in turn, and then 200 for ever.
    async fn answer(listener: tokio::net::TcpListener, texts: Vec<&'static str>) {
        let mut texts = texts.into_iter();
        while let Ok((mut socket, _)) = listener.accept().await {
            let text = texts.next();
            let status = if text.is_some() { "503 x" } else { "200 x" };
            let text = text.unwrap_or_default();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", text.len());
            let asked = socket.read(&mut [0; 1024]).await.expect("asks");
            assert!(asked > 0);
            socket.write_all(format!("{head}{text}").as_bytes()).await.expect("hears");
        }
    }

    #[tokio::test]
    async fn a_part_that_says_it_can_not_write_is_started_again_and_one_that_says_something_else_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let health = format!("http://{}/healthz", listener.local_addr().expect("an address"));
        // Twice and then well, once for another reason: only the three in a row at the end count.
        let said = vec![FULL, FULL, "{}", FULL, FULL, FULL];
        let answering = tokio::spawn(answer(listener, said));
        let plan = Plan {
            name: "broker",
            program: "sleep".into(),
            arguments: vec!["1000".into()],
            environment: Vec::new(),
            log: dir.path().join("log"),
            health: Some(health),
        };
        let told = Arc::new(Mutex::new(Vec::new()));
        let tells = Arc::clone(&told);
        let part = Supervised::start(plan, Arc::new(move |_, how| tells.lock().expect("one").push(how.to_owned())));
        let part = part.expect("starts");
        let first = part.pid();
        let began = Instant::now();
        while told.lock().expect("one").is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "it is not started again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_ne!(part.pid(), first);
        assert!(began.elapsed() >= HEALTH_EVERY * 6, "started again although it was well in between");
        part.stop().await;
        answering.abort();
        let told = told.lock().expect("one");
        assert!(told.len() == 1 && told.iter().all(|how| how.contains("no space left")), "{told:?}");
    }
}
