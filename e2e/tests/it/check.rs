//! What must hold of everything that was accepted, checked from what the mesh gives out.

use std::collections::BTreeMap;

use contracts::OperatorId;
use contracts::export::Line;
use contracts::receipt::Receipt;
use ledger::note::Verifier;
use ledger::verify;
use rand::RngExt as _;
use rand::rngs::StdRng;

use crate::load::Outcome;
use crate::world::World;

/// The records of an operator by stream, in order: the n-th has seq n + 1.
pub type Streams = BTreeMap<u8, Vec<Vec<u8>>>;

/// Reads an export and checks that every seq is there exactly once, in order, from 1.
pub fn read_export(file: &[u8], operator: OperatorId) -> Streams {
    let (mut rest, mut streams, mut seen) = (file, Streams::new(), (0_u64, 0_u64));
    let line = |rest: &mut &[u8]| {
        let end = rest.iter().position(|byte| *byte == b'\n').expect("the export was cut short");
        let text = std::str::from_utf8(&rest[..end]).expect("ASCII");
        let line = Line::parse(text).unwrap_or_else(|| panic!("no line of an export: {text:?}"));
        *rest = &rest[end + 1..];
        line
    };
    assert_eq!(line(&mut rest), Line::Title);
    assert_eq!(line(&mut rest), Line::Operator(operator));
    loop {
        match line(&mut rest) {
            Line::Block { bytes } => {
                seen.0 += 1;
                rest = &rest[bytes..];
            }
            Line::Record { stream, seq, bytes } => {
                seen.1 += 1;
                let records = streams.entry(stream.0).or_default();
                assert_eq!(seq.get(), records.len() as u64 + 1, "stream {stream} of {operator}");
                records.push(rest[..bytes].to_vec());
                rest = &rest[bytes + 1..];
            }
            Line::End { blocks, records } => {
                assert_eq!((blocks, records), seen);
                assert!(rest.is_empty(), "something follows the last line");
                return streams;
            }
            other => panic!("{other} does not belong here"),
        }
    }
}

/// Checks that each receipt's root is the root of the records it names.
pub fn receipts_hold(receipts: &[Receipt], operator: OperatorId, streams: &Streams) {
    for receipt in receipts {
        let claims = &receipt.claims;
        assert_eq!(claims.operator, operator);
        let records = streams.get(&claims.stream.0).map_or(&[][..], Vec::as_slice);
        let (first, last) = (claims.first_seq.get() as usize, claims.last_seq.get() as usize);
        assert!(last <= records.len(), "accepted up to {last} and only {} are sealed: {claims:?}", records.len());
        let named = records[first - 1..last].iter().map(Vec::as_slice);
        verify::records(named, claims.count, &claims.root).unwrap_or_else(|error| panic!("{error}: {claims:?}"));
    }
}

/// Checks everything that must hold after a load: each seq once, bytes as sent, receipts, totals, proofs of a random hundredth of the
/// records and at least 20, and that chaining finds nothing wrong. Gives the counts of records, receipts and proofs.
pub async fn everything_holds(world: &World, outcome: &Outcome, random: &mut StdRng) -> (u64, u64, u64) {
    let log = Verifier::parse(&world.mesh().log_vkey).expect("a key");
    let (mut records, mut receipts, mut proofs) = (0, 0, 0);
    let per_operator = 20_usize.div_ceil(outcome.len().max(1));
    for (operator, (sent, promised)) in outcome {
        let token = world.token(*operator, "records:read");
        let count: u64 = sent.values().map(|records| records.len() as u64).sum();
        let chain = world.published(*operator, &token, count).await;
        assert_eq!(chain["total"], count, "{operator}");
        let stored = read_export(&world.export(*operator, &token).await, *operator);
        for (stream, records) in sent {
            let found = stored.get(stream).map_or(&[][..], Vec::as_slice);
            assert_eq!(found.len(), records.len(), "stream {stream} of {operator}");
            let wrong = found.iter().zip(records).position(|(found, sent)| found != sent);
            assert_eq!(wrong, None, "stream {stream} of {operator}: a record is not as it was sent");
        }
        receipts_hold(promised, *operator, &stored);
        every_record_is_promised(promised, *operator, sent);
        let wanted = per_operator.max(count as usize / 100).min(count as usize);
        let streams: Vec<u8> =
            sent.iter().filter(|(_, records)| !records.is_empty()).map(|(stream, _)| *stream).collect();
        for _ in 0..wanted {
            let stream = streams[random.random_range(0..streams.len())];
            let at = random.random_range(0..sent[&stream].len());
            let file = world.proof(*operator, stream.into(), at as u64 + 1, &token).await;
            let verified = verify::record_proof(&file, &log).expect("a proof verifies");
            assert_eq!((verified.header.operator, &verified.record), (*operator, &sent[&stream][at]));
        }
        records += count;
        receipts += promised.len() as u64;
        proofs += wanted as u64;
    }
    let said = world.dsom_ok(&["fsck"], &[]);
    assert!(said.contains("nothing is wrong"), "{said}");
    (records, receipts, proofs)
}

/// Checks that the receipts of each stream name every record exactly once.
fn every_record_is_promised(receipts: &[Receipt], operator: OperatorId, sent: &Streams) {
    for (stream, records) in sent {
        let mut own: Vec<_> = receipts.iter().map(|r| &r.claims).filter(|claims| claims.stream.0 == *stream).collect();
        own.sort_by_key(|claims| claims.first_seq);
        let mut next = 1;
        for claims in own {
            assert_eq!(claims.first_seq.get(), next, "receipts of stream {stream} of {operator}");
            next = claims.last_seq.get() + 1;
        }
        assert_eq!(next, records.len() as u64 + 1, "receipts of stream {stream} of {operator}");
    }
}
