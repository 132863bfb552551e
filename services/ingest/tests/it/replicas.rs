//! Several ingest processes on one stream: JetStream's fence, not memory, decides.

use std::collections::BTreeMap;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use crate::world::{World, record, records, root};

/// The public half of the world's receipt key (RFC 8410, section 10.1).
const OLD_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
/// The key after it (RFC 8032, section 7.1, test 1).
const NEW: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

#[actix_rt::test]
async fn two_processes_and_many_senders_append_every_record_once() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = rand::rngs::StdRng::seed_from_u64(seed);
    let world = World::new();
    let (a, b, operator) = (world.ingest("a").await, world.ingest("b").await, world.operator());
    let all = records(1..1_501);
    let mut batches = Vec::new();
    let mut rest = &all[..];
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(random.random_range(1..=12).min(rest.len()));
        batches.push(batch);
        rest = after;
    }
    // Each batch goes to both processes, some twice, in an order that is wrong by up to a few dozen batches.
    let mut sends: Vec<(usize, bool)> =
        (0..batches.len()).flat_map(|n| [(n, true), (n, false), (n, n % 3 == 0)]).collect();
    sends.chunks_mut(40).for_each(|chunk| chunk.shuffle(&mut random));
    let answers: Vec<_> = stream::iter(sends)
        .map(|(n, to_a)| {
            let (operator, to, batch) = (&operator, if to_a { &a } else { &b }, batches[n]);
            async move {
                loop {
                    let answer = operator.send(to, 7, batch).await;
                    match answer.status.as_u16() {
                        200 | 201 => return (n, answer.status.as_u16(), answer.claims(to).await),
                        409 if answer.code().1 == "gap" => {}
                        503 => {}
                        _ => panic!("{} {}", answer.status, answer.body),
                    }
                }
            }
        })
        .buffer_unordered(48)
        .collect()
        .await;
    let mut by_batch: BTreeMap<usize, Vec<_>> = BTreeMap::new();
    for (n, status, claims) in answers {
        by_batch.entry(n).or_default().push((status, claims));
    }
    for (n, answers) in by_batch {
        assert_eq!(answers.len(), 3);
        assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "batch {n} was appended once");
        assert!(answers.iter().all(|(_, claims)| *claims == answers[0].1), "batch {n} has one receipt");
        assert_eq!(answers[0].1.root, root(batches[n]));
    }
    assert!(world.records(operator.id, 7).await.iter().eq(all.iter().map(String::as_bytes)));
}

#[actix_rt::test]
async fn two_different_records_for_one_seq_have_one_winner() {
    let world = World::new();
    let (a, b, operator) = (world.ingest("a").await, world.ingest("b").await, world.operator());
    for seq in 1..21 {
        let (one, two) = ([record(seq)], [record(seq)]);
        let sends = [operator.send(&a, 0, &one), operator.send(&b, 0, &two)];
        let mut answers = join_all(sends).await;
        answers.sort_by_key(|answer| answer.status);
        assert_eq!(answers[0].status, 201);
        assert_eq!(answers[1].code(), (409, "rewrite-attempt"));
    }
    assert_eq!(world.records(operator.id, 0).await.len(), 20);
}

#[actix_rt::test]
async fn fifty_copies_at_once_are_one_acceptance() {
    let world = World::new();
    let (a, operator, lines) = (world.ingest("a").await, world.operator(), records(1..30));
    let answers = join_all((0..50).map(|_| operator.send(&a, 0, &lines))).await;
    let claims = answers[0].claims(&a).await;
    for answer in &answers {
        assert_eq!(answer.claims(&a).await, claims);
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
}

#[actix_rt::test]
async fn receipts_of_the_old_and_of_the_new_key_verify_at_either_process_while_keys_change_places() {
    let (world, put) = (World::new(), |world: &World, name: &str, pem: &str| {
        let path = world.dir.path().join(name);
        std::fs::write(&path, pem).expect("writes");
        path
    });
    let (public, new) = (put(&world, "old.pub.pem", OLD_PUBLIC), put(&world, "new.pem", NEW));
    let first = ingest::config::Config { receipt_keys_beside: new.display().to_string(), ..world.config("a") };
    let beside = format!("{} , ", public.display());
    let then = ingest::config::Config { receipt_key: new, receipt_keys_beside: beside, ..world.config("b") };
    let (a, b, operator) = (world.ingest_with(first).await, world.ingest_with(then.clone()).await, world.operator());
    let lines = records(1..4);
    let old = operator.send(&a, 0, &lines).await;
    let again = operator.send(&b, 0, &lines).await;
    assert_eq!((old.status.as_u16(), again.status.as_u16()), (201, 200));
    assert_ne!(old.body["receipt"], again.body["receipt"], "two keys sign");
    let claims = old.claims(&a).await;
    for (answer, served) in [(&old, &b), (&again, &a), (&again, &b)] {
        assert_eq!(answer.claims(served).await, claims);
    }
    // A file that can't be read is told at the start, not when somebody needs the key.
    let bad = ingest::config::Config { receipt_keys_beside: "/no/such.pem".into(), ..then };
    let refused = ingest::start(bad).await.err().expect("refused");
    assert!(matches!(refused, ingest::error::StartError::ReceiptKey(_)), "{refused}");
}
