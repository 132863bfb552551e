//! Frames come back as they were written, and nothing else is taken for one.

use proptest::prelude::*;

use super::*;
use crate::registry::Flag;

fn operator() -> OperatorId {
    "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID")
}

fn frame_of(records: &[Vec<u8>], first: u64) -> Frame {
    let lengths: Vec<u16> = records.iter().map(|r| r.len() as u16).collect();
    let bytes: Vec<u8> = records.concat();
    let part = Packer::new().expect("memory").pack([(&lengths[..], &bytes[..])].into_iter()).expect("fits");
    let batch = BatchMeta {
        first_seq: Seq::new(first).expect("in range"),
        count: records.len() as u32,
        accepted_at: UnixMillis(1_792_864_829_498),
        root: Hash([7; 32]),
    };
    Frame::new(operator(), StreamNo(3), vec![batch], vec![part]).expect("a frame")
}

proptest! {
    #[test]
    fn what_is_packed_comes_back(
        records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..50),
        first in 1_u64..1_000_000,
    ) {
        let frame = frame_of(&records, first);
        let again = Frame::decode(&frame.encode().into()).expect("decodes");
        prop_assert_eq!(&again, &frame);
        let mut unpacker = Unpacker::new().expect("memory");
        let back: Vec<Vec<u8>> = again.parts().iter()
            .flat_map(|p| unpacker.unpack(p).expect("unpacks").map(<[u8]>::to_vec).collect::<Vec<_>>())
            .collect();
        prop_assert_eq!(back, records);
    }

    #[test]
    fn damage_never_panics(at in 0_usize..400, bit in 0_u8..8, cut in 0_usize..400) {
        let mut bytes = frame_of(&vec![b"{\"seq\":1,\"id\":\"x\"}".to_vec(); 20], 1).encode();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        bytes.truncate(bytes.len() - cut % bytes.len() / 2);
        let bytes = Bytes::from(bytes);
        prop_assert!(Frame::decode(&bytes).is_err(), "the checksum sees any damage");
        if let Ok((frame, _)) = Frame::examine(&bytes) {
            let mut unpacker = Unpacker::new().expect("memory");
            for part in frame.parts() {
                let _ = unpacker.unpack(part).map(Iterator::count);
            }
        }
    }
}

#[test]
fn batches_must_follow_one_another() {
    let frame = frame_of(&[b"a".to_vec(), b"b".to_vec()], 5);
    let mut batches = frame.batches().to_vec();
    batches.push(BatchMeta { first_seq: Seq::new(9).expect("in range"), ..batches[0] });
    assert_eq!(
        Frame::new(operator(), StreamNo(3), batches, frame.parts().to_vec()),
        Err(BadFrame::NotConsecutive { index: 1 })
    );
}

/// Three records in two batches, by `struct` and `zlib.crc32` of another language.
const PLAIN: &str = "4454583113013f29b9df4b82ad28e51596b7e0b40302000500000000000000010000003a40126fa10100000707070707 \
         0707070707070707070707070707070707070707070707070707070600000000000000020000003a40126fa101000008 \
         080808080808080808080808080808080808080808080808080808080808080100000300000009000000090000000100 \
         01000100616263739c2200";
/// The same with remarks of each kind.
const REMARKED: &str = "4454583213013f29b9df4b82ad28e51596b7e0b40302000500000000000000010000003a40126fa10100000707070707 \
         0707070707070707070707070707070707070707070707070707070600000000000000020000003a40126fa101000008 \
         08080808080808080808080808080808080808080808080808080808080808040000000207007369676e65640a010001 \
         090001000000000100000001000109000201000000010000000100032a00010000000909090909090909090909090909 \
         090909090909090909090909090909090909616761696e0a010000030000000900000009000000010001000100616263 \
         ec7928a1";

fn two_batches() -> Frame {
    let batch = |first, count, root| BatchMeta {
        first_seq: Seq::new(first).expect("in range"),
        count,
        accepted_at: UnixMillis(1_792_864_829_498),
        root: Hash([root; 32]),
    };
    let part = Packer::new().expect("memory").pack([(&[1, 1, 1][..], &b"abc"[..])].into_iter()).expect("fits");
    Frame::new(operator(), StreamNo(3), vec![batch(5, 1, 7), batch(6, 2, 8)], vec![part]).expect("a frame")
}

fn one_of_each() -> Vec<Remark> {
    let flagged = |flag, offset| Remark::Flagged { batch: 1, flag, runs: vec![Run { offset, count: 1 }] };
    let wider = Some(Wider { before: 1, root: Hash([9; 32]) });
    vec![
        Remark::Signed { batch: 0, wider: None, text: "signed\n".into() },
        flagged(Flag::AfterSuspension, 0),
        flagged(Flag::OutsideLicence, 1),
        Remark::Signed { batch: 1, wider, text: "again\n".into() },
    ]
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|two| (two[0] * 16 + two[1]) as u8).collect()
}

#[test]
fn frames_have_the_bytes_they_always_had() {
    let plain = two_batches();
    assert_eq!(plain.encode(), unhex(PLAIN));
    assert_eq!(Frame::decode(&unhex(PLAIN)), Ok(plain.clone()));
    assert_eq!(
        plain.clone().with_remarks(Vec::new()).expect("none").encode(),
        unhex(PLAIN),
        "nothing said changes nothing"
    );
    let remarked = plain.with_remarks(one_of_each()).expect("good remarks");
    assert_eq!(remarked.encode(), unhex(REMARKED));
    assert_eq!(Frame::decode(&unhex(REMARKED)), Ok(remarked));
}

#[test]
fn what_is_said_of_a_record_and_its_batch_is_found() {
    let frame = two_batches().with_remarks(one_of_each()).expect("good remarks");
    let seq = |n| Seq::new(n).expect("in range");
    let flags = |n| frame.flags_of(seq(n)).collect::<Vec<_>>();
    assert_eq!(
        [4, 5, 6, 7, 8].map(flags),
        [vec![], vec![], vec![Flag::AfterSuspension], vec![Flag::OutsideLicence], vec![]]
    );
    assert_eq!(
        [4, 5, 6, 7, 8].map(|n| frame.batch_holding(seq(n)).map(|(at, _)| at)),
        [None, Some(0), Some(1), Some(1), None]
    );
    assert_eq!(frame.signature_of(0), Some((None, "signed\n")));
    assert_eq!(frame.signature_of(1), Some((Some(Wider { before: 1, root: Hash([9; 32]) }), "again\n")));
    assert_eq!(two_batches().signature_of(0), None);
}

#[test]
fn a_frame_with_remarks_cut_at_any_byte_is_refused() {
    let bytes = unhex(REMARKED);
    for cut in 0..bytes.len() {
        assert!(Frame::decode(&bytes.slice(..cut)).is_err(), "cut at {cut}");
        // Also with a checksum that fits what is left: the fields themselves are watched.
        let mut made = bytes.slice(..cut).to_vec();
        made.extend_from_slice(&crc32fast::hash(&bytes[..cut]).to_le_bytes());
        if cut < bytes.len() - 4 {
            assert!(Frame::decode(&made.into()).is_err(), "cut at {cut} and made sound");
        }
    }
}

#[test]
fn what_can_not_be_said_is_refused() {
    use Flag::{AfterSuspension, OutsideLicence};
    let flagged = |batch, flag, runs: &[(u32, u32)]| {
        let runs = runs.iter().map(|(offset, count)| Run { offset: *offset, count: *count }).collect();
        Remark::Flagged { batch, flag, runs }
    };
    let signed = |batch, text: &str| Remark::Signed { batch, wider: None, text: text.into() };
    let wider = |before| Remark::Signed { batch: 1, wider: Some(Wider { before, root: Hash::ZERO }), text: "s".into() };
    for (what, remarks) in [
        ("no such batch", vec![signed(2, "s")]),
        ("no run", vec![flagged(0, AfterSuspension, &[])]),
        ("an empty run", vec![flagged(1, AfterSuspension, &[(0, 0)])]),
        ("beyond the batch", vec![flagged(0, AfterSuspension, &[(0, 2)])]),
        ("beyond all numbers", vec![flagged(0, AfterSuspension, &[(u32::MAX, u32::MAX)])]),
        ("runs out of order", vec![flagged(1, AfterSuspension, &[(1, 1), (0, 1)])]),
        ("overlapping runs", vec![flagged(1, AfterSuspension, &[(0, 2), (1, 1)])]),
        ("overlapping over two", vec![flagged(1, AfterSuspension, &[(0, 2)]), flagged(1, AfterSuspension, &[(1, 1)])]),
        ("flags out of order", vec![flagged(1, OutsideLicence, &[(0, 1)]), flagged(1, AfterSuspension, &[(1, 1)])]),
        ("batches out of order", vec![signed(1, "s"), signed(0, "s")]),
        ("signed before flagged", vec![signed(0, "s"), flagged(0, AfterSuspension, &[(0, 1)])]),
        ("signed twice", vec![signed(0, "s"), signed(0, "s")]),
        ("an empty signature", vec![signed(0, "")]),
        ("a long one", vec![signed(0, &"s".repeat(SIGNATURE_BYTES_MAX + 1))]),
        ("not ASCII", vec![signed(0, "\u{e9}")]),
        ("over nothing before", vec![wider(0)]),
        ("over what can't be before", vec![wider(6)]),
        ("too many", vec![signed(0, "s"); REMARKS_MAX + 1]),
    ] {
        assert!(two_batches().with_remarks(remarks).is_err(), "{what}");
    }
    assert!(two_batches().with_remarks(vec![wider(5)]).is_ok());
    let over_two = vec![flagged(1, AfterSuspension, &[(0, 1)]), flagged(1, AfterSuspension, &[(1, 1)])];
    assert!(two_batches().with_remarks(over_two).is_ok());
}

#[test]
fn runs_of_every_other_record_of_the_largest_batch_fit() {
    let records = vec![b"r".to_vec(); FRAME_RECORDS_MAX];
    let runs: Vec<Run> = (0..FRAME_RECORDS_MAX as u32).step_by(2).map(|offset| Run { offset, count: 1 }).collect();
    let remarks: Vec<Remark> = Remark::flagged(0, Flag::OutsideLicence, &runs).collect();
    assert_eq!(remarks.len(), 2, "one remark holds 8,191 runs");
    let frame = frame_of(&records, 1).with_remarks(remarks).expect("fits");
    let again = Frame::decode(&frame.encode().into()).expect("decodes");
    assert_eq!(again, frame);
    let last = Seq::new(FRAME_RECORDS_MAX as u64 - 1).expect("in range");
    assert_eq!(again.flags_of(last).collect::<Vec<_>>(), [Flag::OutsideLicence]);
}

/// Runs of a batch of `count` records, from gaps and lengths.
fn runs_of(count: u32, steps: &[(u32, u32)]) -> Vec<Run> {
    let mut next = 0;
    let mut runs = Vec::new();
    for (gap, length) in steps {
        let offset = next + gap;
        if offset + length > count {
            break;
        }
        runs.push(Run { offset, count: *length });
        next = offset + length;
    }
    runs
}

proptest! {
    #[test]
    fn remarks_come_back_and_their_damage_is_seen(
        batches in proptest::collection::vec(
            (1_u32..40, proptest::collection::vec((0_u32..5, 1_u32..5), 0..9), proptest::option::of("[ -~\n]{1,200}")), 1..6),
        flag in 0_usize..2,
        before in proptest::option::of((1_u32..5, any::<[u8; 32]>())),
        damage in any::<(proptest::sample::Index, u8)>(),
    ) {
        let (mut first, mut metas, mut remarks) = (10, Vec::new(), Vec::new());
        for (index, (count, steps, text)) in batches.iter().enumerate() {
            metas.push(BatchMeta {
                first_seq: Seq::new(first).expect("in range"), count: *count, accepted_at: UnixMillis(1), root: Hash([1; 32]),
            });
            first += u64::from(*count);
            remarks.extend(Remark::flagged(index as u16, Flag::ALL[flag], &runs_of(*count, steps)));
            let wider = before.map(|(before, root)| Wider { before, root: Hash(root) });
            remarks.extend(text.clone().map(|text| Remark::Signed { batch: index as u16, wider, text }));
        }
        let total: u32 = batches.iter().map(|(count, ..)| count).sum();
        let lengths = vec![1; total as usize];
        let bytes = vec![b'r'; total as usize];
        let part = Packer::new().expect("memory").pack([(&lengths[..], &bytes[..])].into_iter()).expect("fits");
        let frame = Frame::new(operator(), StreamNo(1), metas, vec![part]).expect("a frame").with_remarks(remarks).expect("good");
        let bytes = frame.encode();
        prop_assert_eq!(Frame::decode(&bytes.clone().into()), Ok(frame));
        let mut bad = bytes.clone();
        bad[damage.0.index(bytes.len())] ^= damage.1.max(1);
        prop_assert!(Frame::decode(&bad.clone().into()).is_err());
        // Whatever can still be read of it is written again as it was read.
        let end = bad.len() - 4;
        let sum = crc32fast::hash(&bad[..end]);
        bad[end..].copy_from_slice(&sum.to_le_bytes());
        if let Ok(read) = Frame::decode(&bad.clone().into()) {
            prop_assert_eq!(read.encode(), bad);
        }
    }
}
