//! Wagers that no licence covers: recorded, flagged beside their bytes, and alerted.

use contracts::events::FlaggedRecords;
use contracts::frame::{Remark, Run};
use contracts::registry::{Flag, LicenceKind, LicenceState};
use contracts::{UnixMillis, subjects};
use testkit::register::{self, SINCE_2020, licence};

use crate::world::{Operator, World, eventually, record, records};

/// Of 2026-10-24T18:00:29.498Z, when all records of these tests are.
const THEN: UnixMillis = UnixMillis(1_792_864_829_498);

/// A world in which an operator's casino was suspended at a time and its betting goes on; and what all may send.
async fn suspended_at(at: UnixMillis) -> (World, Operator) {
    let world = World::new();
    let operator = world.operator();
    let mut standing = register::standing(operator.id);
    standing.version = 2;
    standing.licences = vec![
        licence(LicenceKind::OnlineCasino, LicenceState::Suspended, &[(SINCE_2020, Some(at))]),
        licence(LicenceKind::Betting, LicenceState::Active, &[(SINCE_2020, None)]),
    ];
    world.tell().await;
    register::tell(&world.nats, &[standing]).await;
    (world, operator)
}

fn of(vertical: &str, seq: u64) -> String {
    record(seq).replace("\"slots\"", &format!("\"{vertical}\""))
}

fn refund(seq: u64) -> String {
    let id = uuid::Uuid::new_v4();
    format!(
        r#"{{"seq":{seq},"id":"{id}","type":"refund","at":"2026-10-24T18:00:29.498Z","amount":1,"currency":"UAH","channel":"web","wager":"55d3f385-fe76-4324-9d76-9105cb9ecb0c","reason":"other"}}"#
    )
}

async fn alerts(world: &World, operator: &Operator, flag: Flag) -> Vec<FlaggedRecords> {
    let (bus, subject) = (world.bus().await, subjects::alert(flag.as_str(), operator.id));
    let (mut found, mut place) = (Vec::new(), 1);
    while let Some(message) = bus.next_of(subjects::ALERTS, &subject, place).await.expect("reads") {
        place = message.seq + 1;
        assert_eq!(message.headers.get("ce-type"), Some("org.dsom.alert.records-flagged.v1"));
        found.push(serde_json::from_slice(&message.payload).expect("an event"));
    }
    found
}

fn runs(remarks: &[Remark]) -> Vec<(Flag, Vec<(u32, u32)>)> {
    let pairs = |runs: &[Run]| runs.iter().map(|run| (run.offset, run.count)).collect();
    let flags = remarks.iter().map(|remark| match remark {
        Remark::Flagged { flag, runs, .. } => (*flag, pairs(runs)),
        Remark::Signed { .. } => panic!("nothing was signed"),
    });
    flags.collect()
}

#[actix_rt::test]
async fn wagers_after_a_suspension_are_recorded_flagged_and_alerted() {
    let (world, operator) = suspended_at(THEN).await;
    let ingest = world.ingest("a").await;
    let lines = [
        of("slots", 1),
        of("live", 2),
        refund(3),
        of("betting", 4),
        of("slots", 5),
        of("lottery", 6),
        of("virtual", 7),
    ];
    let answer = operator.send(&ingest, 0, &lines).await;
    assert_eq!(answer.status, 201);
    let claims = answer.claims(&ingest).await;
    let again = operator.send(&ingest, 0, &lines).await;
    assert_eq!((again.status.as_u16(), again.claims(&ingest).await), (200, claims));
    let kept = world.records(operator.id, 0).await;
    assert!(kept.iter().eq(lines.iter().map(String::as_bytes)), "the bytes are the operator's, untouched");

    let [frame] = &world.frames(operator.id, 0).await[..] else { panic!("one frame") };
    let flagged = [(Flag::AfterSuspension, vec![(0, 2), (4, 1)]), (Flag::OutsideLicence, vec![(5, 1)])];
    assert_eq!(runs(frame.remarks()), flagged);
    for (flag, told) in [(Flag::AfterSuspension, (1, 5, 3)), (Flag::OutsideLicence, (6, 6, 1))] {
        // It is told after the batch is answered.
        let events = eventually("the alert", || async {
            let events = alerts(&world, &operator, flag).await;
            (!events.is_empty()).then_some(events)
        });
        let [event] = &events.await[..] else { panic!("one alert a flag") };
        assert_eq!((event.operator, event.stream.0, event.flag), (operator.id, 0, flag));
        assert_eq!((event.first_seq.get(), event.last_seq.get(), event.records), told);
    }
    let metrics = reqwest::get(format!("{}/metrics", ingest.url)).await.expect("an answer").text().await.expect("text");
    for flag in ["after-suspension", "outside-licence"] {
        let line = format!("dsom_ingest_flagged_records_total{{flag=\"{flag}\"");
        assert!(metrics.lines().any(|l| l.starts_with(&line)), "{flag}");
    }
}

#[actix_rt::test]
async fn wagers_before_the_suspension_and_settlements_are_as_any_other() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    // Suspended a moment ago, or so long ago that a wager of before it comes late.
    let just_now = UnixMillis(i64::try_from(now.as_millis()).expect("in range"));
    for (at, late) in [(just_now, vec![]), (UnixMillis(THEN.0 + 1), vec![(Flag::ReportedLate, vec![(0, 1)])])] {
        let (world, operator) = suspended_at(at).await;
        let ingest = world.ingest("a").await;
        let lines = [of("slots", 1), refund(2), of("betting", 3)];
        assert_eq!(operator.send(&ingest, 0, &lines).await.status, 201);
        assert_eq!(runs(world.frames(operator.id, 0).await[0].remarks()), late);
        assert!(alerts(&world, &operator, Flag::AfterSuspension).await.is_empty());
    }
}

#[actix_rt::test]
async fn large_and_overlapping_batches_are_flagged_record_by_record() {
    let (world, operator) = suspended_at(THEN).await;
    let ingest = world.ingest("a").await;
    let mut lines: Vec<String> = records(1..3_001);
    for (n, line) in lines.iter_mut().enumerate().filter(|(n, _)| n % 2 == 0) {
        *line = of("betting", n as u64 + 1);
    }
    assert_eq!(operator.send(&ingest, 0, &lines[..4]).await.status, 201);
    // Begins inside what is accepted: what was flagged there is not flagged again.
    assert_eq!(operator.send(&ingest, 0, &lines[1..]).await.status, 201);
    let frames = world.frames(operator.id, 0).await;
    let flags = |seq| {
        let seq = contracts::Seq::new(seq).expect("in range");
        frames.iter().flat_map(|frame| frame.flags_of(seq)).collect::<Vec<_>>()
    };
    for seq in 1..3_001 {
        let expected = if seq % 2 == 0 { vec![Flag::AfterSuspension] } else { vec![] };
        assert_eq!(flags(seq), expected, "seq {seq}");
    }
}
