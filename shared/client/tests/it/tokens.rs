//! A token that is refused is replaced, and nothing is lost meanwhile; one that can't be replaced ends sending and says why.

use std::sync::Arc;
use std::time::Duration;

use client::{Config, SendError, Sender, TokenConfig, TokenError, TokenSource as _, Tokens};
use contracts::StreamNo;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;

use crate::server::{Deed, Grant, Server, operator, record};

/// Tokens of the server's own endpoint.
async fn tokens(server: &Server) -> Arc<Tokens> {
    let key = SigningKey::from_bytes(&rand::random());
    let config = TokenConfig {
        endpoint: format!("{}/oauth2/token", server.url),
        issuer: "https://issuer.test".into(),
        client_id: "dsom_live_test".into(),
        kid: "k1".into(),
        key_der: key.to_pkcs8_der().unwrap().as_bytes().to_vec(),
        scope: String::new(),
    };
    Tokens::start(config).await.unwrap()
}

/// Sends 20 records in two batches.
async fn send(server: &Server, tokens: Arc<Tokens>) -> Result<usize, SendError> {
    let mut config = Config::new(&server.url, "", operator());
    config.token = tokens;
    config.batch_records_max = 10;
    config.pause_max = Duration::from_millis(100);
    let mut sender = Sender::open(config, StreamNo(3)).await?;
    for seq in 1..=20 {
        if sender.push(&record(seq)).await.is_err() {
            break;
        }
    }
    sender.finish().await.map(|receipts| receipts.len()).map_err(|unfinished| unfinished.error)
}

#[tokio::test]
async fn an_expired_token_is_replaced_and_the_same_bytes_are_sent_again() {
    let server = Server::start(0, [Deed::Expire]).await;
    assert_eq!(send(&server, tokens(&server).await).await.expect("accepted"), 2);
    let state = server.state.lock().unwrap();
    assert_eq!(state.records, (1..=20).map(record).collect::<Vec<_>>());
    assert_eq!((state.tokens.as_slice(), state.asked), (&["token-2".to_owned(), "token-2".to_owned()][..], 2));
}

#[tokio::test]
async fn an_issuer_that_is_away_for_a_while_costs_nothing_but_time() {
    let server = Server::start(0, [Deed::Expire]).await;
    let tokens = tokens(&server).await;
    server.state.lock().unwrap().grants.extend([Grant::Busy, Grant::HangUp, Grant::Busy, Grant::HangUp]);
    assert_eq!(send(&server, tokens).await.expect("accepted"), 2);
    let state = server.state.lock().unwrap();
    assert_eq!((state.records.len(), state.asked, state.grants.len()), (20, 6, 0));
}

#[tokio::test]
async fn a_new_token_that_is_refused_for_a_moment_is_no_end() {
    let server = Server::start(0, [Deed::Expire, Deed::Expire]).await;
    assert_eq!(send(&server, tokens(&server).await).await.expect("accepted"), 2);
    assert_eq!(server.state.lock().unwrap().asked, 3);
}

#[tokio::test]
async fn an_issuer_that_refuses_ends_sending_and_says_why() {
    let server = Server::start(0, [Deed::Expire]).await;
    let tokens = tokens(&server).await;
    server.state.lock().unwrap().grants.extend([Grant::Refuse]);
    match send(&server, Arc::clone(&tokens)).await {
        Err(SendError::Token { refusal, source }) => {
            assert_eq!(refusal.detail, "the token has expired");
            assert!(matches!(&*source, TokenError::Refused { error, .. } if error == "invalid_client"), "{source}");
        }
        other => panic!("{other:?}"),
    }
    // Who comes later is told at once what is known, without the issuer being asked again and again.
    assert!(tokens.renew("token-1").await.is_err());
    assert_eq!(server.state.lock().unwrap().asked, 2);
}

#[tokio::test]
async fn many_streams_that_are_refused_ask_for_one_token() {
    let server = Server::start(0, []).await;
    let tokens = tokens(&server).await;
    let all = (0..50).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { tokens.renew("token-1").await.is_ok() })
    });
    for one in all.collect::<Vec<_>>() {
        assert!(one.await.unwrap());
    }
    assert_eq!((tokens.token().as_str(), server.state.lock().unwrap().asked), ("token-2", 2));
    // The issuer may grant the same one again: then there is no other yet.
    server.state.lock().unwrap().grants.extend([Grant::This("token-2"), Grant::This("token-9")]);
    let renewed = tokio::time::timeout(Duration::from_secs(20), tokens.renew("token-2")).await;
    assert!(renewed.expect("in time").is_ok() && tokens.token() == "token-9");
}

#[tokio::test]
async fn a_token_that_stays_is_final() {
    let server = Server::start(0, [Deed::Expire]).await;
    let config = Config::new(&server.url, "token", operator());
    let mut sender = Sender::open(config, StreamNo(3)).await.expect("open");
    sender.push(&record(1)).await.expect("taken");
    let error = sender.finish().await.expect_err("refused").error;
    assert!(matches!(&error, SendError::Token { source, .. } if matches!(**source, TokenError::Fixed)), "{error:?}");
    assert_eq!(server.state.lock().unwrap().requests, 1);
}
