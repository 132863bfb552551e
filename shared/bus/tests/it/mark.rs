//! Whose log `TX` is sealed into.

use bus::{DeclareError, LostStreams, StreamBytes};

use crate::world;

#[tokio::test]
async fn the_first_who_seals_marks_it_and_no_other_log_is_taken_from_it() {
    let (_server, bus) = world().await;
    bus.claim("log.example/market").await.expect("nobody has");
    bus.claim("log.example/market").await.expect("it is ours");
    // Other limits leave the mark where it is.
    bus.declare(StreamBytes { tx: 1 << 20, ..StreamBytes::default() }, LostStreams::Refuse).await.expect("resizes");
    let refused = bus.claim("log.example/sandbox").await;
    let Err(DeclareError::OtherLog { found, own }) = refused else { panic!("{refused:?}") };
    assert_eq!((found.as_str(), own.as_str()), ("log.example/market", "log.example/sandbox"));
}
