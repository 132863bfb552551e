//! What is wanted twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;

#[actix_rt::test]
async fn the_certificate_on_file_is_not_filed_again() {
    let (_dir, store) = store();
    let (process, id) = (Process::start(&store, Line::default()).await, new_id());
    process.decide(id, 1, Command::Register(entity())).await.expect("is done");
    let file = async |expected: u64, certificate: &str| {
        let command = Command::Certify { certificate: certificate.to_owned() };
        let filed = process.desks.decide(id, Decide { expected, command, by: clerk(1) }).await;
        filed.map(|operator| operator.head.version)
    };
    assert_eq!(file(1, "a.b.c").await.expect("is filed"), 2);
    // Whatever version its sender had in mind: the first answer may have been lost.
    for expected in [1, 2] {
        assert_eq!(file(expected, "a.b.c").await.expect("is on file"), 2);
    }
    let stale = file(1, "d.e.f").await;
    assert!(matches!(stale, Err(DecideError::Stale { version: 2 })), "{stale:?}");
    assert_eq!(file(2, "d.e.f").await.expect("is another"), 3);
    assert_eq!(store.changes(Operator::entity_id(id), 0, 9).await.expect("reads").len(), 3);
    // Nor is one put back by one that was issued before it.
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let header = part(r#"{"alg":"EdDSA","kid":"k","typ":"t"}"#);
    let issued = |iat: i64| format!("{header}.{}.{}", part(&format!("{{\"iat\":{iat}}}")), part("signature"));
    assert_eq!(file(3, &issued(1_000)).await.expect("is another"), 4);
    assert!(file(4, &issued(999)).await.is_err());
    assert_eq!(file(4, &issued(1_001)).await.expect("is newer"), 5);
}
