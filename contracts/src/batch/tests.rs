//! Batches good and bad.

use super::*;

const NOW: UnixMillis = UnixMillis(1_792_864_829_498);

fn record(seq: u64) -> String {
    format!(
        r#"{{"seq":{seq},"id":"55d3f385-fe76-4324-9d76-{seq:012x}","type":"refund","at":"2026-10-24T18:00:29Z","amount":1,"currency":"UAH","channel":"web","wager":"55d3f385-fe76-4324-9d76-9105cb9ecb0c","reason":"other"}}"#
    )
}

#[test]
fn each_element_keeps_its_own_bytes() {
    let (a, b) = (record(7), record(8));
    for (media, body) in [
        (Media::Ndjson, format!("{a}\n{b}\n")),
        (Media::Ndjson, format!("{a}\n{b}")),
        (Media::Json, format!(" [ {a}\n,{b} ]\n")),
    ] {
        let batch = check(body.as_bytes(), media, NOW).expect("good");
        assert_eq!(batch.first_seq.get(), 7);
        assert!(batch.records(body.as_bytes()).eq([a.as_bytes(), b.as_bytes()]));
    }
    assert_eq!(check(a.as_bytes(), Media::Json, NOW).expect("one").lengths.len(), 1);
    // Spaces around the object on its line are part of the bytes as sent.
    let spaced = format!(" {a} \n");
    let batch = check(spaced.as_bytes(), Media::Ndjson, NOW).expect("good");
    assert_eq!(batch.records(spaced.as_bytes()).next(), Some(format!(" {a} ").as_bytes()));
}

#[test]
fn wagers_are_summed_up_and_found_again() {
    let wager = |seq: u64, vertical: &str, at: &str| {
        format!(
            r#"{{"seq":{seq},"id":"55d3f385-fe76-4324-9d76-{seq:012x}","type":"wager","at":"{at}","amount":1,"currency":"UAH","channel":"web","vertical":"{vertical}","game":"a.b","round":"r"}}"#
        )
    };
    let lines = [
        record(7),
        wager(8, "slots", "2026-10-24T18:00:29.0019Z"),
        wager(9, "machine", "2026-10-24T18:00:28Z"),
        record(10),
        wager(11, "slots", "2026-10-24T18:00:28.5Z"),
    ];
    let body = lines.join("\n");
    let batch = check(body.as_bytes(), Media::Ndjson, NOW).expect("good");
    assert_eq!(batch.wagers.verticals().collect::<Vec<_>>(), [Vertical::Slots, Vertical::Machine]);
    let at = |ms: i64| UnixMillis(1_792_864_828_000 + ms);
    assert_eq!(batch.wagers.span(), Some((at(0), at(1_001))));
    let again: Vec<_> = batch.read_wagers(body.as_bytes(), NOW).collect();
    assert_eq!(again, [(1, Vertical::Slots, at(1_001)), (2, Vertical::Machine, at(0)), (4, Vertical::Slots, at(500))]);
    let none = check(record(7).as_bytes(), Media::Ndjson, NOW).expect("good");
    assert_eq!((none.wagers.span(), none.wagers.verticals().next()), (None, None));
}

#[test]
fn what_is_no_batch_is_refused() {
    let (a, b) = (record(7), record(9));
    for empty in ["", "[]", " [ ] ", " "] {
        assert_eq!(check(empty.as_bytes(), Media::Json, NOW), Err(BatchError::Empty), "{empty:?}");
    }
    assert_eq!(check(b"", Media::Ndjson, NOW), Err(BatchError::Empty));
    let gap = BatchError::NotConsecutive { index: 1, expected: 8, found: 9 };
    assert_eq!(check(format!("{a}\n{b}").as_bytes(), Media::Ndjson, NOW), Err(gap));
    for (media, bad) in [
        (Media::Ndjson, format!("{a}\r\n")),
        (Media::Ndjson, format!("{a}\n\n")),
        (Media::Ndjson, "\n".into()),
        (Media::Ndjson, format!("{a}\n  \n")),
        (Media::Ndjson, format!("{a}\n ")),
        (Media::Ndjson, format!("\n{a}")),
        (Media::Json, format!("[{a},]")),
        (Media::Json, format!("[,{a}]")),
        (Media::Json, format!("[[{a}]]")),
        (Media::Json, "7".into()),
    ] {
        assert!(matches!(check(bad.as_bytes(), media, NOW), Err(BatchError::Invalid(_))), "{bad}");
    }
    for bad in [format!("[{a}"), format!("[{a}]]"), format!("[{a}}}]")] {
        assert!(matches!(check(bad.as_bytes(), Media::Json, NOW), Err(BatchError::Malformed { .. })), "{bad}");
    }
    let many = format!("[{}]", vec!["1"; BATCH_RECORDS_MAX + 1].join(","));
    assert_eq!(check(many.as_bytes(), Media::Json, NOW), Err(BatchError::TooMany));
}

#[test]
fn one_record_as_large_as_a_batch_is_refused_without_being_read() {
    let names = "\"at\":1,".repeat((BATCH_BYTES_MAX - 16) / 7);
    for (media, body) in [
        (Media::Ndjson, format!("{{{names}\"at\":1}}")),
        (Media::Json, format!("[{{{names}\"at\":1}}]")),
        (Media::Json, format!("{{{names}\"at\":1}}")),
    ] {
        assert!(body.len() > BATCH_BYTES_MAX - 32 && body.len() <= BATCH_BYTES_MAX);
        let began = std::time::Instant::now();
        let refused = check(body.as_bytes(), media, NOW);
        let Err(BatchError::Invalid(told)) = refused else { panic!("{refused:?}") };
        let [Invalid { index: 0, seq: None, violation }] = &told[..] else { panic!("{} faults", told.len()) };
        assert_eq!(violation.code, RecordCode::TooLong);
        // Held against each other, a million names would take hours.
        assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    }
}

#[test]
fn no_more_is_told_than_an_answer_holds() {
    let told = check("x\n".repeat(500).as_bytes(), Media::Ndjson, NOW);
    assert!(matches!(told, Err(BatchError::Invalid(told)) if told.len() == INVALID_MAX));
}

#[test]
fn an_id_that_stands_twice_is_a_contradiction() {
    let mut lines: Vec<String> = (1..=1_000).map(record).collect();
    let twice = |line: &str, seq: u64| line.replacen(&format!("9d76-{seq:012x}"), "9d76-000000000005", 1);
    let body = lines.join("\n");
    assert!(check(body.as_bytes(), Media::Ndjson, NOW).is_ok());
    for seq in [9_u64, 1_000] {
        let line = lines.get_mut(seq as usize - 1).expect("a line");
        *line = twice(line, seq);
    }
    let Err(BatchError::Invalid(told)) = check(lines.join("\n").as_bytes(), Media::Ndjson, NOW) else { panic!("good") };
    let named: Vec<_> = told.iter().map(|one| (one.index, one.seq, one.violation.pointer.as_str())).collect();
    assert_eq!(named, [(8, Some(9), "/id"), (999, Some(1_000), "/id")]);
    assert!(told.iter().all(|one| one.violation.code == RecordCode::Contradiction));
    assert!(told.iter().all(|one| one.violation.detail.contains("record 4 ")), "{told:?}");

    // The halves of each give the same when they are folded, and yet all are different.
    let alike: Vec<String> = (1..=9)
        .map(|seq| {
            let id = format!("{seq:08x}-0000-4000-8000-{seq:04x}00004000");
            record(seq).replacen(&format!("55d3f385-fe76-4324-9d76-{seq:012x}"), &id, 1)
        })
        .collect();
    assert!(check(alike.join("\n").as_bytes(), Media::Ndjson, NOW).is_ok());
}

#[test]
fn so_many_equal_ids_are_told_as_an_answer_holds() {
    let body: Vec<String> =
        (1..=500).map(|seq| record(seq).replace(&format!("9d76-{seq:012x}"), "9d76-000000000001")).collect();
    let Err(BatchError::Invalid(told)) = check(body.join("\n").as_bytes(), Media::Ndjson, NOW) else { panic!("good") };
    assert_eq!(told.len(), INVALID_MAX);
}
