//! What outlived a supervisor that was killed: it holds stores and ports, and answers `/readyz` for those to come.

use std::fs;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Layout;
use super::process::signal;

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How long the kernel may take to clear away what was killed.
const KILLED_MAX: Duration = Duration::from_secs(5);
/// The services that have a folder, as they are called in the names of their programs and of their settings.
const SERVICES: [(&str, &str); 3] =
    [("dsom-licensing", "LICENSING"), ("dsom-ingest", "INGEST"), ("dsom-chaining", "CHAINING")];

/// Asks every process of this folder to end, waits until it has, and kills what takes longer than `patience`. Gives how many there were.
/// Only for who holds the folder's lock: then none of them has a supervisor.
pub(super) async fn stop(layout: &Layout, patience: Duration) -> usize {
    let mut left = of(layout);
    let found = left.len();
    for pid in &left {
        signal(*pid, "TERM").await;
    }
    let deadline = Instant::now() + patience;
    while !left.is_empty() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        left.retain(|pid| is_ours(layout, *pid));
    }
    for pid in &left {
        signal(*pid, "KILL").await;
    }
    let deadline = Instant::now() + KILLED_MAX;
    while !left.is_empty() && Instant::now() < deadline {
        sleep(LOOK_EVERY).await;
        left.retain(|pid| is_ours(layout, *pid));
    }
    found
}

/// The processes of this folder, but for supervisors.
fn of(layout: &Layout) -> Vec<u32> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| is_ours(layout, *pid)).collect()
}

/// Whether a process runs and is a part of the mesh in this folder: a nats-server by its configuration, a service by where it keeps its
/// data. A number alone says nothing: it may be another's by now.
fn is_ours(layout: &Layout, pid: u32) -> bool {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    // One that has ended and whose parent has not looked yet is a zombie: it holds nothing.
    let stat = String::from_utf8_lossy(&read("stat")).into_owned();
    if stat.is_empty() || stat.contains(") Z ") {
        return false;
    }
    let line = read("cmdline");
    let arguments: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let confs = ["nats/nats.conf", "sandbox/nats/nats.conf"].map(|conf| layout.path(conf).display().to_string());
    if arguments.windows(2).any(|pair| matches!(pair, [b"-c", conf] if confs.iter().any(|own| own.as_bytes() == *conf)))
    {
        return true;
    }
    let name = String::from_utf8_lossy(&read("comm")).trim().to_owned();
    let Some((_, service)) = SERVICES.into_iter().find(|(program, _)| *program == name) else { return false };
    let environment = read("environ");
    let settings: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
    let data = format!("DSOM_{service}_DATA_DIR={}/", layout.root().display());
    // What people run beside a mesh has no supervisor's pipe.
    settings.iter().any(|setting| setting.starts_with(data.as_bytes()))
        && settings.contains(&b"DSOM_STOP_WITH_STDIN=1".as_slice())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A process called `dsom-ingest` that keeps its data in a folder, and hears TERM or does not.
    fn service(programs: &Path, data: &Path, deaf: bool) -> Child {
        let program = programs.join("dsom-ingest");
        if !program.exists() {
            fs::copy("/bin/sh", &program).expect("a shell");
        }
        let trap = if deaf { "trap '' TERM; " } else { "" };
        let mut command = Command::new(program);
        command.args(["-c", &format!("{trap}echo up; while :; do sleep 0.1; done")]);
        command.env("DSOM_INGEST_DATA_DIR", data.join("ingest")).env("DSOM_STOP_WITH_STDIN", "1");
        let mut child = command.stdout(Stdio::piped()).spawn().expect("starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("a pipe");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).expect("reads");
        child
    }

    #[tokio::test]
    async fn what_is_left_of_this_folder_ends_and_nothing_else_does() {
        let [programs, ours, theirs] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
        let layout = Layout::existing(ours.path()).expect("a folder");
        let root = layout.root().to_owned();
        let mut left = [service(programs.path(), &root, false), service(programs.path(), &root, true)];
        let mut other = service(programs.path(), theirs.path(), false);
        assert_eq!(stop(&layout, Duration::from_millis(500)).await, 2);
        for child in &mut left {
            // Zombies until they are looked at; still running they would never be.
            assert!(!child.wait().expect("ended").success());
        }
        assert!(other.try_wait().expect("looks").is_none(), "another mesh's process was ended");
        other.kill().expect("ends");
        other.wait().expect("ended");
        assert_eq!(stop(&layout, Duration::from_secs(60)).await, 0);
    }
}
