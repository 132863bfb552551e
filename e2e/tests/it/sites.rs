//! The walk of docs/SITES.md, line by line; then the feeds as libraries of others read them.

use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};

use crate::pages::{python, root, shell, walk};
use crate::world::{World, calm_turn};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sites_are_blocked_by_two_clerks_and_read_by_everybody() {
    let _turn = calm_turn().await;
    let world = World::started().await;
    let told = shell(&world, &walk("docs/SITES.md"));
    for expected in [
        "2000 to block, 0 to lift, proposed by clerk-1, until 2",
        "1500 to block",
        "\nblock telegram/casino_ua from 2026-11-01: bets without a licence (act 17)\n",
        "\nwww.казино.укр (www.xn--80aodfsg.xn--j1amh): blocked, by xn--80aodfsg.xn--j1amh\n",
        "\nsite-7.example: lifted\n",
        "\nsite-7.example: blocked\n",
        "\ntelegram/casino_ua: blocked\n",
        "\nblocked   2026-11-01 site-70.example\n",
        " clerk-2 (clerk) confirmed ",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }

    let Some(python) = python() else { return };
    let began = Instant::now();
    let mut reader = Command::new(python);
    reader.arg(root().join("e2e/python/site_feeds.py")).arg(&world.mesh().licensing);
    reader.args(["www.казино.укр", "site-1.example", "site-7.example", "example"]);
    let ran = reader.output().expect("python runs");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    println!("the feeds were read and checked in {:?}: {said}", began.elapsed());
    let said: Value = serde_json::from_str(&said).expect("JSON");
    // The zone was set, then four decisions: three that block, one that lifts.
    assert_eq!((&said["serial"], &said["domains"]), (&json!(5), &json!(3_500)));
    assert_eq!(
        said["answers"],
        json!({"www.казино.укр": ".", "site-1.example": ".", "site-7.example": null, "example": null})
    );
}
