//! `dsom migrate-store`: a mesh that was on the embedded engine goes on where it was on a CQL server, and so does its sandbox.

use contracts::OperatorId;
use serde_json::{Value, json};

use crate::world::{World, calm_turn, until};

/// Records that are sent before, to each of the two worlds.
const BEFORE: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mesh_that_moves_to_a_cql_server_goes_on_where_it_was() {
    let _turn = calm_turn().await;
    let mut world = World::with_sandbox().await;
    let operator: OperatorId = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID");
    let before = [false, true].map(|sandbox| Side::of(&world, operator, sandbox));
    let mut kept = Vec::new();
    for side in &before {
        assert_eq!(side.send(&world, 1, BEFORE).await, 201);
        let chain = side.published(&world, BEFORE).await;
        kept.push((chain, side.proof(&world, 7).await));
    }
    world.stop();
    let Some(said) = world.migrate_store() else { return };
    for part in ["licensing", "ingest", "chaining", "sandbox/ingest", "sandbox/chaining"] {
        assert!(said.lines().any(|line| line.starts_with(&format!("{part}: "))), "{part}: {said}");
    }
    assert!(world.migrate_store_again().contains("The copy is whole"));

    world.up().await;
    for (sandbox, (chain, proof)) in [false, true].into_iter().zip(kept) {
        let side = Side::of(&world, operator, sandbox);
        assert_eq!(side.published(&world, BEFORE).await, chain);
        let lines =
            |proof: &[u8]| -> Vec<String> { String::from_utf8_lossy(proof).lines().map(str::to_owned).collect() };
        let again = side.proof(&world, 7).await;
        assert_eq!(lines(&again)[..2], lines(&proof)[..2], "the same record at the same place");
        assert_eq!(side.send(&world, 1, BEFORE).await, 200, "all of it is known");
        assert_eq!(side.send(&world, BEFORE + 1, 3).await, 201);
        side.published(&world, BEFORE + 3).await;
    }
    world.dsom_ok(&["fsck"], &[]);
    world.stop();
}

/// The market, or the sandbox.
struct Side {
    ingest: String,
    chaining: String,
    operator: OperatorId,
    token: String,
}

impl Side {
    fn of(world: &World, operator: OperatorId, sandbox: bool) -> Self {
        let mesh = world.mesh();
        let asked = operator.to_string();
        match mesh.sandbox.filter(|_| sandbox) {
            Some(sandbox) => {
                let token = world.dsom_ok(&["token", "--sandbox", "--operator", &asked], &[]).trim().to_owned();
                Self { ingest: sandbox.ingest, chaining: sandbox.chaining, operator, token }
            }
            None => Self { ingest: mesh.ingest, chaining: mesh.chaining, operator, token: world.token(operator, "") },
        }
    }

    /// Records that are the same whenever they are sent.
    async fn send(&self, world: &World, first: u64, count: u64) -> u16 {
        let records: Vec<Value> = (first..first + count)
            .map(|seq| {
                json!({
                    "seq": seq, "id": uuid::Uuid::from_u128(u128::from(seq)), "type": "wager",
                    "at": "2026-10-24T18:00:29.498Z", "amount": 100, "currency": "UAH", "channel": "web",
                    "vertical": "table", "game": "delta.roulette-eu", "round": "1",
                })
            })
            .collect();
        let url = format!("{}/v1/streams/0/batches", self.ingest);
        let sent = world.http.post(url).bearer_auth(&self.token).json(&records).send().await;
        sent.expect("answers").status().as_u16()
    }

    async fn published(&self, world: &World, records: u64) -> Value {
        let url = format!("{}/v1/chains/{}", self.chaining, self.operator);
        until(&format!("{records} records to be published"), crate::world::PUBLISHED, || async {
            let chain: Value = serde_json::from_slice(&world.get(&url, Some(&self.token)).await?).ok()?;
            (chain["total"].as_u64()? >= records && chain["logged"] == chain["height"]).then_some(chain)
        })
        .await
    }

    async fn proof(&self, world: &World, seq: u64) -> Vec<u8> {
        let url = format!("{}/v1/records/{}/0/{seq}/proof", self.chaining, self.operator);
        until("a proof", crate::world::PUBLISHED, || world.get(&url, Some(&self.token))).await
    }
}
