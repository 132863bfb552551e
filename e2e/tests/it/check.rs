//! What must hold of everything that was accepted, checked from an export alone.

use std::collections::BTreeMap;

use contracts::OperatorId;
use contracts::export::Line;
use contracts::receipt::Receipt;
use ledger::verify;

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
