//! The folder of a mesh, and `mesh.json` in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Failure;

/// Where everything of a mesh lies.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

/// What `mesh.json` says while the mesh is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MeshFile {
    /// Base URL of ingest.
    pub ingest: String,
    /// Base URL of chaining.
    pub chaining: String,
    /// Base URL of licensing.
    pub licensing: String,
    /// `iss` of tokens.
    pub issuer: String,
    /// NATS, for clients.
    pub nats: String,
    /// NATS, for monitoring.
    pub nats_monitor: String,
    /// The log's origin.
    pub log_origin: String,
    /// The log's public key (C2SP signed-note vkey).
    pub log_vkey: String,
    /// The sandbox, if one runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sandbox: Option<SandboxFile>,
    /// Process ids by name: `dsom`, `nats`, `licensing`, `chaining`, `ingest`; with `sandbox-` in front those of the sandbox.
    pub pids: BTreeMap<String, u32>,
}

/// Where the sandbox is: another chain and another log, on another broker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SandboxFile {
    /// Base URL of its ingest.
    pub ingest: String,
    /// Base URL of its chaining.
    pub chaining: String,
    /// Its NATS, for clients.
    pub nats: String,
    /// Its NATS, for monitoring.
    pub nats_monitor: String,
    /// Its log's origin.
    pub log_origin: String,
    /// Its log's public key.
    pub log_vkey: String,
}

/// Where the parts of the market, or of the sandbox, listen on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Port of ingest.
    pub ingest: u16,
    /// Port of chaining.
    pub chaining: u16,
    /// Port of NATS for clients.
    pub nats: u16,
    /// Port of NATS for monitoring.
    pub nats_monitor: u16,
}

impl Layout {
    /// The folder, made when it is not there.
    ///
    /// # Errors
    /// It could not be made.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        for folder in ["", "nats", "ingest", "chaining", "licensing", "keys", "logs"] {
            let path = root.join(folder);
            fs::create_dir_all(&path)
                .map_err(|error| Failure::usage(format!("could not make {}", path.display())).because(&error))?;
        }
        Self::existing(root)
    }

    /// The folder as it is.
    ///
    /// # Errors
    /// There is none.
    pub fn existing(root: &Path) -> Result<Self, Failure> {
        // Services get absolute paths, whatever folder they are started in.
        let root = fs::canonicalize(root)
            .map_err(|error| Failure::usage(format!("could not open {}", root.display())).because(&error))?;
        Ok(Self { root })
    }

    /// A path inside it.
    pub fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes `mesh.json` whole or not at all.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write_mesh(&self, mesh: &MeshFile) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(mesh);
        let text = text.map_err(|error| Failure::bad("could not write mesh.json").because(&error))?;
        self.write("mesh.json", &(text + "\n"))
    }

    /// Writes a small file inside it, whole or not at all.
    ///
    /// # Errors
    /// It could not be written.
    pub fn write(&self, inside: &str, text: &str) -> Result<(), Failure> {
        let (path, part) = (self.path(inside), self.path(&format!("{inside}.part")));
        let written = fs::write(&part, text).and_then(|()| fs::rename(&part, &path));
        written.map_err(|error| Failure::bad(format!("could not write {}", path.display())).because(&error))
    }

    /// Removes `mesh.json`: the mesh is not ready, or no more.
    pub fn remove_mesh(&self) {
        // It may not be there, which is as good.
        let _ = fs::remove_file(self.path("mesh.json"));
    }
}

impl MeshFile {
    /// The sandbox.
    ///
    /// # Errors
    /// None runs.
    pub fn sandbox(&self) -> Result<&SandboxFile, Failure> {
        let none = || Failure::unreachable("no sandbox runs in this mesh; start it with `dsom up --sandbox`");
        self.sandbox.as_ref().ok_or_else(none)
    }

    /// Reads `mesh.json` of a folder.
    ///
    /// # Errors
    /// There is none (the mesh does not run), it is left over from a mesh that was killed, or it can't be read.
    pub fn read(data: &Path) -> Result<Self, Failure> {
        let path = data.join("mesh.json");
        let none =
            || Failure::unreachable(format!("no mesh runs in {}; start one with `dsom up --data {0}`", data.display()));
        let text = fs::read_to_string(&path).map_err(|error| none().because(&error))?;
        let mesh: Self = serde_json::from_str(&text)
            .map_err(|error| Failure::bad(format!("{} can't be read", path.display())).because(&error))?;
        match mesh.pids.get("dsom").is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists()) {
            true => Ok(mesh),
            false => Err(none()),
        }
    }
}
