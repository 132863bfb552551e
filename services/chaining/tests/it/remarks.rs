//! What is said of records beside their bytes: it goes through sealing unharmed, takes part in no root, and is read over HTTP.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{App, test};
use bytes::Bytes;
use chaining::actors::log::Shown;
use chaining::domain::chain::{Taken, seal};
use chaining::domain::frame::check;
use chaining::domain::read::OpenBlock;
use chaining::fsck::{Scope, fsck};
use chaining::http::turns::Turns;
use chaining::http::{Service, configure};
use chaining::storage::{Appended, Store};
use contracts::frame::{Frame, Remark, Run, Unpacker, Wider};
use contracts::registry::Flag;
use contracts::{Hash, Height};
use ledger::SignedRecord;
use ledger::batch_signature::{Covered, KeyId, SigningKey, StoredSignature};
use runtime::people::OidcConfig;
use runtime::{Auth, AuthConfig, People};
use serde_json::{Value, json};
use testkit::{AUDIENCE, Answers, Exchanged, ISSUER, Issuer, NatsServer};
use tokio::sync::watch;

use crate::world::{append, connect, frame, key, now, open, operator, publish, record, sealed, start};

/// Key and key id of the operator.
fn signer() -> (SigningKey, KeyId) {
    // RFC 8410: a version, Ed25519, and the key.
    let head = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    (SigningKey::from_pkcs8_der(&[&head[..], &[5; 32]].concat()).unwrap(), "key-1".parse().unwrap())
}

/// The root over records of stream 0, and what is kept of the operator's signature of it.
fn signed(first: u64, last: u64) -> (Hash, String) {
    let leaves: Vec<Hash> = (first..=last).map(|seq| ledger::leaf_hash(&record(0, seq))).collect();
    let (key, kid) = signer();
    let covered = Covered::new("/v1/streams/0/batches", "application/x-ndjson", ledger::root(&leaves)).unwrap();
    let signature = key.sign(&covered, 1_792_864_829, &kid).unwrap();
    (covered.root(), StoredSignature::new(&covered, signature).to_text())
}

/// Nine records in batches of three, of which the second is flagged and signed, and the third signed with more before it.
fn remarked(first: u64, before: u32) -> Frame {
    let flagged = |flag, offset, count| Remark::Flagged { batch: 1, flag, runs: vec![Run { offset, count }] };
    let wide = signed(first + 6 - u64::from(before), first + 8);
    let remarks = vec![
        flagged(Flag::AfterSuspension, 0, 2),
        flagged(Flag::OutsideLicence, 1, 1),
        Remark::Signed { batch: 1, wider: None, text: signed(first + 3, first + 5).1 },
        Remark::Signed { batch: 2, wider: Some(Wider { before, root: wide.0 }), text: wide.1 },
    ];
    frame(operator(1), 0, first, 9, 3).with_remarks(remarks).unwrap()
}

async fn append_frame(store: &Arc<dyn Store>, frame: &Frame) {
    let head = store.head(frame.operator).await.unwrap();
    let checked = check(frame.encode().into(), frame, &mut Unpacker::new().unwrap()).unwrap();
    let block = seal(frame.operator, &head, &[Taken { tx_seq: 1, frame: checked }], now()).unwrap();
    assert_eq!(store.append_block_if_head_is(block).await.unwrap(), Appended::Appended);
}

#[actix::test]
async fn a_frame_with_remarks_is_sealed_as_it_came_under_the_root_of_its_records_alone() {
    let (nats, dir) = (NatsServer::start(), tempfile::tempdir().unwrap());
    let (bus, store) = (connect(&nats).await, open(dir.path()));
    let running = start(&bus, &store).await;
    let sent = remarked(1, 1);
    publish(&bus, &sent).await;
    sealed(&store, operator(1), 0, 9).await;
    let stored = store.block(operator(1), Height(1)).await.unwrap().unwrap();
    assert_eq!(stored.frames, [Bytes::from(sent.encode())]);
    let mut unpacker = Unpacker::new().unwrap();
    let opened = OpenBlock::open(&stored.header, &stored.frames, &mut unpacker).unwrap();
    let plain = frame(operator(1), 0, 1, 9, 3);
    let same = OpenBlock::open(&stored.header, &[plain.encode().into()], &mut unpacker).unwrap();
    assert_eq!(opened.header.root, ledger::root(&same.leaves));
    running.stop().await;
    let found = fsck(&*store, key().verifier(), Scope::Everything, &mut |_| ()).await;
    assert!(found.first.is_none(), "{:?}", found.first);
}

#[actix::test]
async fn flags_and_signatures_are_read_with_their_records() {
    let (dir, issuer) = (tempfile::tempdir().unwrap(), Issuer::new());
    let jwks = dir.path().join("jwks.json");
    issuer.write_jwks(&jwks);
    let store = open(&dir.path().join("store"));
    append(&store, operator(1), 1).await;
    append_frame(&store, &remarked(4, 8)).await;
    let (_, shown) = watch::channel(Shown::default());
    let turns = Turns::new(1, Duration::from_millis(50));
    let service = Arc::new(Service { store, key: key(), shown, checking: Arc::new(AtomicBool::new(false)), turns });
    let routes = Arc::clone(&service);
    let config = AuthConfig {
        jwks: jwks.display().to_string(),
        token_issuer: ISSUER.to_owned(),
        token_audience: AUDIENCE.to_owned(),
        client_cert: Default::default(),
    };
    let auth = Auth::start(&config, None).await.unwrap();
    let regulator = Issuer::new();
    let of_people = dir.path().join("people.json");
    regulator.write_jwks(&of_people);
    let oidc = OidcConfig {
        issuer: "https://id.example".to_owned(),
        audience: "dsom-people".to_owned(),
        jwks: Some(of_people.display().to_string()),
        roles_claim: "roles".to_owned(),
        roles: String::new(),
    };
    let people = People::start(&oidc).await.unwrap();
    let app = App::new().app_data(auth).app_data(people).configure(|config| configure(config, routes));
    let app = test::init_service(app).await;
    let documented = Answers::of("chaining");
    let get = async |path: String, token: String| {
        let request = test::TestRequest::get().uri(&path).insert_header(("authorization", format!("Bearer {token}")));
        let answer = test::call_service(&app, request.to_request()).await;
        let flags = answer.headers().get("dsom-flags").map(|flags| flags.to_str().unwrap().to_owned());
        let (status, media) = (answer.status(), answer.headers().get("content-type").cloned());
        let body = test::read_body(answer).await;
        let media = media.as_ref().map(|media| media.to_str().unwrap());
        let exchanged =
            Exchanged { method: "GET", path: &path, sent: None, status: status.as_u16(), media, body: &body };
        documented.hold(exchanged);
        (status, flags, body)
    };
    let token = || issuer.token(operator(1), "records:read");
    assert_eq!(get(format!("/v1/chains/{}", operator(1)), token()).await.0, StatusCode::OK);
    let path = |seq: u64, what: &str| format!("/v1/records/{}/0/{seq}{what}", operator(1));

    for (seq, flags) in [
        (1, None),
        (6, None),
        (7, Some("after-suspension")),
        (8, Some("after-suspension, outside-licence")),
        (9, None),
        (12, None),
    ] {
        let (status, found, body) = get(path(seq, ""), token()).await;
        assert_eq!((status, found.as_deref()), (StatusCode::OK, flags), "seq {seq}");
        assert_eq!(body, record(0, seq));
    }

    // The regulator's people read those of any operator, by their role; who is of neither issuer does not.
    let person = |signer: &Issuer, roles: &[&str]| {
        signer.sign(&json!({
            "iss": "https://id.example", "aud": "dsom-people", "sub": "p-1", "exp": 4_102_444_800_u64, "roles": roles,
        }))
    };
    for (role, status) in [
        ("inspector", StatusCode::OK),
        ("tax", StatusCode::OK),
        ("auditor", StatusCode::OK),
        ("analyst", StatusCode::FORBIDDEN),
        ("clerk", StatusCode::FORBIDDEN),
    ] {
        let (found, flags, _) = get(path(8, ""), person(&regulator, &[role])).await;
        assert_eq!(found, status, "{role}");
        assert_eq!(flags.is_some(), status == StatusCode::OK, "{role}");
    }
    assert_eq!(get(path(8, ""), person(&issuer, &["auditor"])).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(get(path(8, ""), issuer.token(operator(2), "records:read")).await.0, StatusCode::FORBIDDEN);

    let block: Value = serde_json::from_slice(&get(format!("/v1/blocks/{}/2", operator(1)), token()).await.2).unwrap();
    assert_eq!(
        block["flags"],
        json!([
            {"stream": 0, "flag": "after-suspension", "first_seq": 7, "last_seq": 8},
            {"stream": 0, "flag": "outside-licence", "first_seq": 8, "last_seq": 8},
        ])
    );

    // The third batch is signed together with records that lie in another frame, and in another block.
    for (seq, leaf, first, last) in [(7, 0, 7, 9), (9, 2, 7, 9), (10, 8, 2, 12), (12, 10, 2, 12)] {
        let (status, _, body) = get(path(seq, "/signature"), token()).await;
        assert_eq!(status, StatusCode::OK, "seq {seq}");
        let told = SignedRecord::parse(&body).unwrap();
        assert_eq!((told.record.clone(), told.leaf, told.count), (record(0, seq), leaf, last - first + 1), "seq {seq}");
        assert_eq!((told.root, told.signature.clone()), signed(first, last), "seq {seq}");
        let kept = told.verify(&signer().0.verifying_key()).unwrap();
        assert_eq!(kept.signature().keyid().as_str(), "key-1");
    }
    for (seq, status, token) in [
        (4, StatusCode::NOT_FOUND, token()),
        (13, StatusCode::NOT_FOUND, token()),
        (7, StatusCode::FORBIDDEN, issuer.token(operator(2), "records:read")),
        (7, StatusCode::FORBIDDEN, issuer.token(operator(1), "records:write")),
    ] {
        assert_eq!(get(path(seq, "/signature"), token).await.0, status, "seq {seq}");
    }
    // Blocks take memory: who gets no turn in time is told when to ask again, and nothing is kept for them.
    let turn = service.turns.soon().await.unwrap();
    for place in [path(7, ""), path(7, "/signature"), format!("/v1/blocks/{}/2", operator(1))] {
        let request =
            test::TestRequest::get().uri(&place).insert_header(("authorization", format!("Bearer {}", token())));
        let answer = test::call_service(&app, request.to_request()).await;
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{place}");
        assert!(answer.headers().contains_key("retry-after"), "{place}");
    }
    drop(turn);
    assert_eq!(get(path(7, ""), token()).await.0, StatusCode::OK);
}
