//! `dsom up`: one mesh a folder, what dies comes back, nothing outlives it. Needs the services' binaries: `cargo build --bins`.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use dsom::mesh::MeshFile;
use testkit::{Process, wait_for};

use crate::said;

const LIMIT: Duration = Duration::from_secs(60);

fn up(dir: &Path) -> (Process, MeshFile) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dsom"));
    command.args(["up", "--ports", "free", "--data"]).arg(dir);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process::spawn(&mut command, LIMIT);
    let mesh = wait_for("the mesh to be ready", LIMIT, || MeshFile::read(dir).ok());
    (process, mesh)
}

fn runs(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // One that has ended and whose parent has not looked yet is a zombie.
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_mesh_is_alone_comes_back_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let dir = folder.path().display().to_string();
    let (mut process, mesh) = up(folder.path());

    let (code, text) = said(&["up", "--ports", "free", "--data", &dir]);
    assert!(code == 2 && text.contains("already"), "{text}");

    for name in ["ingest", "chaining", "nats"] {
        let old = mesh.pids[name];
        assert!(Command::new("kill").args(["-KILL", &old.to_string()]).status().expect("kill").success());
        let new = wait_for("another process", Duration::from_secs(5), || {
            let now = MeshFile::read(folder.path()).ok()?;
            (now.pids[name] != old && runs(now.pids[name])).then_some(now.pids[name])
        });
        assert_ne!(new, old);
    }
    let data = testkit::data_files();
    let file = data.first().expect("a file").path.display().to_string();
    let (code, text) = said(&["send", "--data", &dir, &file]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = said(&["fsck", "--data", &dir]);
    assert_eq!(code, 0, "{text}");

    let mesh = MeshFile::read(folder.path()).expect("the mesh runs");
    assert!(process.stop().success());
    for (name, pid) in mesh.pids {
        assert!(!runs(pid), "{name} still runs");
    }
    assert!(!folder.path().join("mesh.json").exists());
    let (code, text) = said(&["fsck", "--data", &dir]);
    assert!(code == 0 && text.contains("nothing is wrong"), "{text}");
}

#[test]
fn a_port_that_is_taken_ends_a_start_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    // Taken by this test, or already by a mesh of whoever runs it.
    let _held = std::net::TcpListener::bind("127.0.0.1:7103");
    let (code, text) = said(&["up", "--data", &folder.path().display().to_string()]);
    assert!(code == 3 && text.contains("port 7103 ") && text.contains("--ports free"), "{code}: {text}");
    assert!(!folder.path().join("mesh.json").exists());
    let logs = std::fs::read_dir(folder.path().join("logs")).expect("a folder").count();
    assert_eq!(logs, 0, "a part was started");
}

/// Processes that name the folder in their command line or environment.
fn of_folder(dir: &Path) -> Vec<String> {
    let dir = dir.display().to_string();
    let processes = std::fs::read_dir("/proc").expect("proc").flatten().map(|entry| entry.path());
    let names = processes.filter(|path| {
        let read = |file: &str| std::fs::read(path.join(file)).unwrap_or_default();
        [read("cmdline"), read("environ")].iter().any(|text| String::from_utf8_lossy(text).contains(&dir))
    });
    names.map(|path| std::fs::read_to_string(path.join("comm")).unwrap_or_default()).collect()
}

#[test]
fn what_is_interrupted_while_it_starts_or_measures_leaves_nothing_behind() {
    for (arguments, after) in [
        (&["up", "--ports", "free", "--data"][..], Duration::from_millis(150)),
        (&["up", "--ports", "free", "--data"], Duration::from_millis(400)),
        (&["bench", "--batch", "10", "--rate", "100", "--seconds", "600", "--scratch"], Duration::from_secs(3)),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_dsom"));
        command.args(arguments).arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Process::spawn(&mut command, LIMIT);
        std::thread::sleep(after);
        process.stop();
        wait_for("nothing to be left", Duration::from_secs(20), || of_folder(folder.path()).is_empty().then_some(()));
    }
}

#[test]
fn a_killed_mesh_takes_its_services_along_and_can_be_started_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut process, mesh) = up(folder.path());
    process.kill9();
    for name in ["ingest", "chaining"] {
        wait_for("the service to end", Duration::from_secs(20), || (!runs(mesh.pids[name])).then_some(()));
    }
    assert!(MeshFile::read(folder.path()).is_err(), "the file of a killed mesh is believed");
    let (mut process, again) = up(folder.path());
    assert!(!runs(mesh.pids["nats"]), "two nats-servers on one store");
    assert_eq!(again.log_vkey, mesh.log_vkey);
    assert!(process.stop().success());
}
