//! What is said of records beside their bytes: it goes through sealing unharmed, takes part in no root, and is read over HTTP.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix_web::http::StatusCode;
use actix_web::{App, test};
use bytes::Bytes;
use chaining::actors::log::Shown;
use chaining::domain::chain::{Taken, seal};
use chaining::domain::frame::check;
use chaining::domain::read::OpenBlock;
use chaining::fsck::{Scope, fsck};
use chaining::http::{Service, configure};
use chaining::storage::{Appended, Store};
use contracts::frame::{Frame, Remark, Run, Unpacker, Wider};
use contracts::registry::Flag;
use contracts::{Hash, Height};
use runtime::{Auth, AuthConfig};
use serde_json::{Value, json};
use testkit::{AUDIENCE, ISSUER, Issuer, NatsServer};
use tokio::sync::watch;

use crate::world::{append, connect, frame, key, now, open, operator, publish, record, sealed, start};

const TEXT: &str = "dsom.batch-signature.v1\n";

/// Nine records in batches of three, of which the second is flagged and signed, and the third signed with more before it.
fn remarked(first: u64) -> Frame {
    let flagged = |flag, offset, count| Remark::Flagged { batch: 1, flag, runs: vec![Run { offset, count }] };
    let signed = |batch, wider| Remark::Signed { batch, wider, text: TEXT.into() };
    let remarks = vec![
        flagged(Flag::AfterSuspension, 0, 2),
        flagged(Flag::OutsideLicence, 1, 1),
        signed(1, None),
        signed(2, Some(Wider { before: 1, root: Hash([9; 32]) })),
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
    let sent = remarked(1);
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
    append_frame(&store, &remarked(4)).await;
    let (_, shown) = watch::channel(Shown::default());
    let service = Arc::new(Service { store, key: key(), shown, checking: Arc::new(AtomicBool::new(false)) });
    let config = AuthConfig {
        jwks: jwks.display().to_string(),
        token_issuer: ISSUER.to_owned(),
        token_audience: AUDIENCE.to_owned(),
    };
    let auth = Auth::start(&config, None).await.unwrap();
    let app = App::new().app_data(auth).configure(|routes| configure(routes, service));
    let app = test::init_service(app).await;
    let get = async |path: String, token: String| {
        let request = test::TestRequest::get().uri(&path).insert_header(("authorization", format!("Bearer {token}")));
        let answer = test::call_service(&app, request.to_request()).await;
        let flags = answer.headers().get("dsom-flags").map(|flags| flags.to_str().unwrap().to_owned());
        (answer.status(), flags, test::read_body(answer).await)
    };
    let token = || issuer.token(operator(1), "records:read");
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

    let block: Value = serde_json::from_slice(&get(format!("/v1/blocks/{}/2", operator(1)), token()).await.2).unwrap();
    assert_eq!(
        block["flags"],
        json!([
            {"stream": 0, "flag": "after-suspension", "first_seq": 7, "last_seq": 8},
            {"stream": 0, "flag": "outside-licence", "first_seq": 8, "last_seq": 8},
        ])
    );

    let own = remarked(4).batches()[1].root;
    for (seq, first_seq, count, root) in [(7, 7, 3, own), (9, 7, 3, own), (12, 9, 4, Hash([9; 32]))] {
        let (status, _, body) = get(path(seq, "/signature"), token()).await;
        assert_eq!(status, StatusCode::OK, "seq {seq}");
        let told: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(told, json!({"first_seq": first_seq, "count": count, "root": root, "signature": TEXT}), "seq {seq}");
    }
    for (seq, status, token) in [
        (4, StatusCode::NOT_FOUND, token()),
        (13, StatusCode::NOT_FOUND, token()),
        (7, StatusCode::FORBIDDEN, issuer.token(operator(2), "records:read")),
        (7, StatusCode::FORBIDDEN, issuer.token(operator(1), "records:write")),
    ] {
        assert_eq!(get(path(seq, "/signature"), token).await.0, status, "seq {seq}");
    }
}
