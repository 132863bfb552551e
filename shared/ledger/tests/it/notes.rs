//! Notes, keys and checkpoints against the examples of C2SP and of Go's `sumdb/note`.

use contracts::Hash;
use ledger::note::{self, KeyError, NoteError, SIGNATURES_MAX, Signer, Verifier};
use ledger::{Checkpoint, CheckpointError};

// The example of Go's golang.org/x/mod/sumdb/note, the reference implementation of C2SP signed-note.
const SKEY: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH_VKEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const ENOCH: &str =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn peter() -> Verifier {
    Verifier::parse(VKEY).expect("vkey")
}

#[test]
fn the_reference_example_byte_for_byte() {
    let signer = Signer::parse(SKEY).expect("skey");
    assert_eq!(signer.to_secret_text(), SKEY);
    assert_eq!(signer.verifier().to_string(), VKEY);
    assert_eq!(signer.sign(TEXT).expect("plain text"), format!("{TEXT}\n{PETER}"));
    assert!(!format!("{signer:?}").contains("AYEKFAL"), "a private key is never shown by chance");
    let both = format!("{TEXT}\n{PETER}{ENOCH}");
    let known = [peter(), Verifier::parse(ENOCH_VKEY).expect("vkey")];
    let opened = note::open(both.as_bytes(), &known).expect("signed by both");
    assert_eq!((opened.text, opened.signed_by), (TEXT, vec!["PeterNeumann", "EnochRoot"]));
    let opened = note::open(both.as_bytes(), &known[1..]).expect("an unknown signature is ignored");
    assert_eq!(opened.signed_by, vec!["EnochRoot"]);
}

#[test]
fn no_other_text_is_the_key() {
    // As the reference implementation's own test does: every substring and every byte off by one.
    for (key, ok) in
        [(VKEY, (|k| Verifier::parse(k).is_ok()) as fn(&str) -> bool), (SKEY, |k| Signer::parse(k).is_ok())]
    {
        assert!(ok(key));
        for from in 0..key.len() {
            for to in from..=key.len() {
                assert!((from, to) == (0, key.len()) || !ok(&key[from..to]), "{}", &key[from..to]);
            }
        }
        for at in 0..key.len() {
            let mut bytes = key.as_bytes().to_vec();
            bytes[at] += 1;
            let changed = String::from_utf8(bytes).expect("ASCII");
            assert!(!ok(&changed), "{changed}");
        }
    }
    let long = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==";
    assert!(matches!(Verifier::parse(long), Err(KeyError::Form { .. })));
    let unknown = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    assert_eq!(Verifier::parse(unknown), Err(KeyError::Type(0x65)));
    assert_eq!(
        Verifier::parse(&VKEY.replace("c74f", "c74e")),
        Err(KeyError::Id { found: 0xc74e_20a3, computed: 0xc74f_20a3 })
    );
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\nb"] {
        assert!(matches!(Signer::from_seed(name, &[7; 32]), Err(KeyError::Name(_))), "{name:?}");
    }
}

#[test]
fn refused_notes() {
    let good = format!("{TEXT}\n{PETER}");
    let open = |note: &str| note::open(note.as_bytes(), &[peter()]).map(|_| ());
    assert_eq!(open(&good), Ok(()));
    assert_eq!(open(&good.replace("answer", "Answer")), Err(NoteError::Signature { name: "PeterNeumann".into() }));
    assert_eq!(open(&format!("{TEXT}\n{ENOCH}")), Err(NoteError::NoKnownKey));
    assert_eq!(open(TEXT), Err(NoteError::Form));
    assert_eq!(open(good.trim_end()), Err(NoteError::Form));
    assert_eq!(open(&format!("{TEXT}\n")), Err(NoteError::Form));
    assert_eq!(open(&good.replace("you", "y\tu")), Err(NoteError::Encoding));
    assert_eq!(note::open(b"\xff\n\n", &[peter()]), Err(NoteError::Encoding));
    assert_eq!(open(&good.replace("— P", "- P")), Err(NoteError::SignatureLine { line: 1 }));
    assert_eq!(open(&good.replace("AM=\n", "AN=\n")), Err(NoteError::SignatureLine { line: 1 }));
    assert_eq!(open(&format!("{good}— x\n")), Err(NoteError::SignatureLine { line: 2 }));
    assert_eq!(open(&format!("{TEXT}\n{}", ENOCH.repeat(SIGNATURES_MAX + 1))), Err(NoteError::SignatureCount));
    assert_eq!(open(&format!("{TEXT}\n{}{PETER}", ENOCH.repeat(SIGNATURES_MAX - 1))), Ok(()));
    assert!(matches!(open(&"a".repeat(200_000)), Err(NoteError::Size { bytes: 200_000 })));
    let signer = Signer::parse(SKEY).expect("skey");
    assert_eq!(signer.sign("no line end"), None);
    assert_eq!(signer.sign("a\tb\n"), None);
}

#[test]
fn the_text_may_have_blank_lines() {
    // C2SP signed-note's own example.
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n";
    let signer = Signer::from_seed("quasimodo.example/salvatore", &[9; 32]).expect("name");
    let signed = signer.sign(note).expect("plain");
    assert_eq!(note::open(signed.as_bytes(), &[signer.verifier().clone()]).expect("signed").text, note);
}

#[test]
fn checkpoints_of_the_c2sp_form() {
    // The text of the example in C2SP tlog-checkpoint.
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::parse_text(text).expect("well formed");
    assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!(checkpoint.to_text(), text);
    let more = format!("{text}one more line\n");
    assert_eq!(Checkpoint::parse_text(&more).expect("well formed").extensions, ["one more line"]);
    for (line, bad) in [
        (1, ""),
        (1, "\n5\n"),
        (2, "a\n05\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"),
        (2, "a\n-5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"),
        (2, "a\n18446744073709551616\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"),
        (3, "a\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n"),
        (3, "a\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="),
        (4, "a\n5\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"),
    ] {
        assert_eq!(Checkpoint::parse_text(bad), Err(CheckpointError::Line { line }), "{bad:?}");
    }
}

#[test]
fn a_checkpoint_is_its_logs_own_or_nothing() {
    let signer = Signer::from_seed("log.example/dsom", &[1; 32]).expect("name");
    let log = signer.verifier();
    let checkpoint = Checkpoint::new("log.example/dsom", 3, Hash([5; 32]));
    let signed = checkpoint.sign(&signer).expect("plain");
    assert_eq!(Checkpoint::open(signed.as_bytes(), log), Ok(checkpoint.clone()));
    let foreign = Checkpoint::new("log.example/other", 3, Hash([5; 32])).sign(&signer).expect("plain");
    assert!(matches!(Checkpoint::open(foreign.as_bytes(), log), Err(CheckpointError::Origin { .. })));
    let impostor = Signer::from_seed("log.example/dsom", &[2; 32]).expect("name");
    let forged = checkpoint.sign(&impostor).expect("plain");
    assert!(matches!(Checkpoint::open(forged.as_bytes(), log), Err(CheckpointError::NotByLog(_))));
    for at in 0..signed.len() {
        let mut bytes = signed.clone().into_bytes();
        bytes[at] ^= 1;
        assert!(Checkpoint::open(&bytes, log).is_err(), "byte {at} changed");
    }
    let two_logs = Checkpoint::new("a\n9", 3, Hash::ZERO);
    assert_eq!(two_logs.sign(&signer), None, "an origin of two lines would sign another text");
}
