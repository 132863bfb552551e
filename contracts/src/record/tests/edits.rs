//! Good records with bytes changed: the two readers agree about whatever comes of it.

use proptest::prelude::*;

use super::*;

/// A byte replaced, put in or taken out.
#[derive(Debug, Clone)]
enum Edit {
    Replace(usize, u8),
    Insert(usize, u8),
    Delete(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let byte = || prop::sample::select(b"\"\\{}[]:,0129.-+eE \n\t\r\x0bunazZ\x00\x80\xc3\xa9\xff".to_vec());
    prop_oneof![
        (any::<usize>(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (any::<usize>(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        any::<usize>().prop_map(Edit::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_quick_reader_never_says_more_than_the_strict_one(
        base in prop::sample::select(ALL.to_vec()),
        edits in prop::collection::vec(edit(), 0..4),
    ) {
        let mut bytes = base.as_bytes().to_vec();
        for edit in edits {
            match edit {
                Edit::Replace(at, byte) => { let at = at % bytes.len(); bytes[at] = byte; }
                Edit::Insert(at, byte) => bytes.insert(at % (bytes.len() + 1), byte),
                Edit::Delete(at) => { bytes.remove(at % bytes.len()); }
            }
        }
        prop_assert_eq!(parse(&bytes, NOW), parse_strictly(&bytes, NOW));
        let mut fields = values::Fields::new();
        if plain::read(&bytes, &mut fields) {
            let by_strict = strict::read(&bytes).expect("the strict reader reads it too");
            prop_assert!(by_strict.violations.is_empty());
            prop_assert_eq!(fields, by_strict.fields());
        }
    }
}
