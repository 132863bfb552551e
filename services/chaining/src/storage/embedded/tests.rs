//! The suite of every store, on this one.

use std::sync::{Arc, Mutex};

use super::*;
use crate::storage::conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conforms() {
    let dirs = Mutex::new(Vec::new());
    conformance::all(async || {
        let dir = tempfile::tempdir().expect("a directory");
        let store = EmbeddedStore::open(dir.path()).expect("opens");
        dirs.lock().expect("one thread").push(dir);
        Arc::new(store) as Arc<dyn Store>
    })
    .await;
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let dir = tempfile::tempdir().expect("a directory");
    let open = async || Arc::new(EmbeddedStore::open(dir.path()).expect("opens")) as Arc<dyn Store>;
    conformance::reopened(open).await;
}
