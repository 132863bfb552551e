//! The promise from end to end: what operators send is accepted, sealed, published, and anyone can check it.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use contracts::OperatorId;
use contracts::receipt::Receipt;
use ledger::note::Verifier;
use serde_json::Value;
use testkit::binary;

use crate::check::{read_export, receipts_hold};
use crate::others::{Mirror, Others, flipped};
use crate::verify::Evidence;
use crate::world::{World, runs, turn, until};

/// Records of a batch in `expected.json`.
const BATCH: &str = "1000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_send_their_files_and_anyone_can_check_what_became_of_them() {
    anyone_can_check_what_became_of_files(World::new()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_cql_server_anyone_can_check_what_became_of_them_too() {
    let Some(world) = World::on_cql(None) else { return };
    anyone_can_check_what_became_of_files(world).await;
}

async fn anyone_can_check_what_became_of_files(mut world: World) {
    let _turn = turn().await;
    let others = std::thread::spawn(Others::build);
    let began = Instant::now();
    world.up().await;
    println!("ready after {:.1} s", began.elapsed().as_secs_f64());
    let (files, expected) = (testkit::data_files(), testkit::expected());
    let paths: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    let written = world.dir().join("receipts.jsonl");
    let to = written.display().to_string();

    let began = Instant::now();
    let said = world.dsom_ok(&["send", "--batch", BATCH, "--receipts", &to], &paths);
    assert!(said.contains("100000 records accepted"), "{said}");
    println!("sent after {:.1} s", began.elapsed().as_secs_f64());
    let receipts = receipts(&written);
    roots_are_as_expected(&receipts, &expected);

    let operators: BTreeSet<OperatorId> = files.iter().map(|file| file.operator).collect();
    let mut heads = BTreeMap::new();
    for operator in &operators {
        let token = world.token(*operator, "records:read");
        let sent: BTreeMap<u8, Vec<Vec<u8>>> = files
            .iter()
            .filter(|file| file.operator == *operator)
            .map(|file| {
                (file.stream.0, file.text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(Vec::from).collect())
            })
            .collect();
        let records = sent.values().map(|records| records.len() as u64).sum();
        let chain = world.published(*operator, &token, records).await;
        let export = world.export(*operator, &token).await;
        let stored = read_export(&export, *operator);
        assert!(stored == sent, "{operator}: what is stored is not what was sent");
        let own: Vec<Receipt> = receipts.iter().filter(|r| r.claims.operator == *operator).cloned().collect();
        receipts_hold(&own, *operator, &stored);
        heads.insert(*operator, (token, chain));
    }
    let counted = until("the counter of published records", Duration::from_secs(5), || async {
        published_total(&world).await.filter(|counted| *counted >= 100_000)
    })
    .await;
    assert_eq!(counted, 100_000, "each record is published once");
    println!("published and read again after {:.1} s", began.elapsed().as_secs_f64());

    let (operator, (token, _)) = heads.first_key_value().expect("an operator");
    let proof = world.proof(*operator, 0, 4_711, token).await;
    checked_by_others(&world, others.join().expect("go"), &proof);
    if world.is_embedded() {
        let export = world.export(*operator, token).await;
        let evidence = Evidence {
            world: &world,
            operator: *operator,
            receipts: &written,
            files: &files,
            proof: &proof,
            export: &export,
        };
        evidence.is_verified_and_any_change_is_seen();
        println!("verified by the command after {:.1} s", began.elapsed().as_secs_f64());
        generators_run_to_their_end(&world);
        println!("simulated and measured after {:.1} s", began.elapsed().as_secs_f64());
    }

    // Sent again: everything is there already.
    let said = world.dsom_ok(&["send", "--batch", BATCH], &paths);
    assert!(said.contains("0 records accepted"), "{said}");

    // Stopped and started again: nothing runs on, nothing is lost, nothing is added.
    let before = world.mesh();
    world.stop();
    for (name, pid) in before.pids {
        assert!(!runs(pid), "{name} outlived the mesh");
    }
    assert!(world.mesh_if_ready().is_none(), "mesh.json says that a mesh is ready");
    let began = Instant::now();
    world.up().await;
    println!("ready again after {:.1} s", began.elapsed().as_secs_f64());
    for (operator, (token, before)) in &heads {
        let after = until("the chain", Duration::from_secs(5), || world.chain(*operator, token)).await;
        assert_eq!(after, *before);
    }
    world.dsom_ok(&["fsck"], &[]);
    world.stop();
}

fn receipts(path: &std::path::Path) -> Vec<Receipt> {
    let text = std::fs::read_to_string(path).expect("receipts were written");
    text.lines().map(|line| serde_json::from_str(line).expect("a receipt")).collect()
}

fn roots_are_as_expected(receipts: &[Receipt], expected: &Value) {
    let mut wanted = 0;
    for (operator, answers) in expected["operators"].as_object().expect("operators") {
        for (stream, answers) in answers["streams"].as_object().expect("streams") {
            let mut own: Vec<&Receipt> = receipts
                .iter()
                .filter(|r| r.claims.operator.to_string() == *operator && r.claims.stream.to_string() == *stream)
                .collect();
            own.sort_by_key(|receipt| receipt.claims.first_seq);
            let roots: Vec<String> = own.iter().map(|receipt| receipt.claims.root.to_string()).collect();
            let right: Vec<&str> =
                answers["roots"].as_array().expect("roots").iter().filter_map(Value::as_str).collect();
            assert_eq!(roots, right, "{operator} stream {stream}");
            wanted += right.len();
        }
    }
    assert_eq!(receipts.len(), wanted);
}

/// They accept the log and a proof, and refuse each with one byte changed.
fn checked_by_others(world: &World, others: Option<Others>, proof: &[u8]) {
    let mesh = world.mesh();
    let ours = Verifier::parse(&mesh.log_vkey).expect("a key");
    ledger::verify::record_proof(proof, &ours).expect("our own verifier accepts it");
    let Some(others) = others else { return };

    let mirror = Mirror::start(Some(mesh.chaining), BTreeMap::new());
    assert!(others.log_is_good(&mirror.url, &mesh.log_vkey), "the log is refused");
    let copy = mirror.files.lock().expect("a copy").clone();
    let tile = copy.keys().find(|path| path.starts_with("/log/tile/0/")).expect("a tile was read");
    let bundle = copy.keys().find(|path| path.starts_with("/log/tile/entries/")).expect("a bundle was read");
    for path in [tile, bundle] {
        let mut changed = copy.clone();
        let at = copy[path].len() / 2;
        changed.insert(path.clone(), flipped(&copy[path], at));
        let copied = Mirror::start(None, changed);
        assert!(!others.log_is_good(&copied.url, &mesh.log_vkey), "accepted with byte {at} of {path} changed");
    }

    assert!(others.proof_is_good(proof, &mesh.log_vkey), "the proof is refused");
    let lines: Vec<&[u8]> = proof.split_inclusive(|byte| *byte == b'\n').collect();
    let extra = lines[0].len()..lines[0].len() + lines[1].len();
    let mut refused = 0;
    for at in (0..proof.len()).filter(|at| !extra.contains(at)).step_by(41) {
        assert!(!others.proof_is_good(&flipped(proof, at), &mesh.log_vkey), "accepted with byte {at} changed");
        refused += 1;
    }
    println!("prooftool: good, and refused with any of {refused} bytes changed");
    // Whatever is changed, extra too, ours sees it.
    for at in (0..proof.len()).step_by(7) {
        assert!(ledger::verify::record_proof(&flipped(proof, at), &ours).is_err(), "accepted with byte {at} changed");
    }
}

/// Made-up operators send for a moment, and a bench of one short point says what it promises to.
fn generators_run_to_their_end(world: &World) {
    world.dsom_ok(&["simulate", "--operators", "2", "--rate", "100", "--seconds", "2"], &[]);
    let mut bench = Command::new(binary("dsom"));
    bench.args(["bench", "--batch", "100", "--rate", "1000", "--seconds", "3", "--json", "--against"]).arg(world.dir());
    let ran = bench.stdin(Stdio::null()).output().expect("dsom runs");
    let report: Value = serde_json::from_slice(&ran.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ran.stderr)));
    assert!(ran.status.success() && report["command"].as_str().is_some_and(|command| command.contains("--rate 1000")));
    for text in ["/machine", "/durability"] {
        assert!(report.pointer(text).and_then(Value::as_str).is_some_and(|text| !text.is_empty()), "{text}: {report}");
    }
    let point = &report["points"][0];
    assert_eq!((&point["batch"], &point["target_per_s"], &point["refused"]), (&100.into(), &1000.0.into(), &0.into()));
    let quantiles = ["receipt", "sealed_lag", "published_lag"]
        .into_iter()
        .flat_map(|of| ["p50_ms", "p99_ms", "p999_ms", "max_ms"].map(|quantile| format!("/points/0/{of}/{quantile}")));
    let used = ["nats", "ingest", "chaining", "generator", "services"].into_iter().flat_map(|process| {
        ["cpu_s_per_million", "rss_bytes_idle", "rss_bytes_max"].map(|of| format!("/points/0/processes/{process}/{of}"))
    });
    let alone = ["fsync_ms_p50", "generator_ns_per_record"].map(|of| format!("/alone/{of}"));
    let rates = ["accepted_per_s", "requests_per_s", "drained_s"].map(|of| format!("/points/0/{of}"));
    let disk = ["nats", "ingest", "chaining"].map(|folder| format!("/points/0/bytes_per_record/{folder}"));
    for number in quantiles.chain(used).chain(alone).chain(rates).chain(disk) {
        let found = report.pointer(&number).and_then(Value::as_f64);
        assert!(found.is_some_and(|found| found >= 0.0), "{number}: {report}");
    }
    // Three seconds of a thousand records: a bench whose load does not arrive measures nothing.
    assert!(point["accepted_per_s"].as_f64().is_some_and(|rate| rate > 0.0), "{report}");
}

/// What chaining counted as published.
async fn published_total(world: &World) -> Option<u64> {
    let metrics = world.get(&format!("{}/metrics", world.mesh().chaining), None).await?;
    let metrics = String::from_utf8(metrics).ok()?;
    let line = metrics.lines().find(|line| line.starts_with("dsom_chaining_records_published_total"))?;
    Some(line.rsplit(' ').next()?.parse::<f64>().ok()? as u64)
}
