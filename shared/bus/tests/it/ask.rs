//! Questions between services.

use std::time::Duration;

use bus::AskError;
use bytes::Bytes;

use crate::world;

const PATIENCE: Duration = Duration::from_secs(1);

#[tokio::test]
async fn questions_are_answered_or_refused_or_nobody_is_there() {
    let (_server, bus) = world().await;
    assert_eq!(bus.ask("ask.test", Bytes::new(), PATIENCE).await, Err(AskError::Nobody("ask.test".into())));
    let answering = bus.answer("ask.test", |question: Bytes| async move {
        match &question[..] {
            b"late" => std::future::pending().await,
            b"bad" => Err("not\r\ntoday".to_owned()),
            _ => Ok(question),
        }
    });
    let first = loop {
        match bus.ask("ask.test", Bytes::from_static(b"echo"), PATIENCE).await {
            Err(AskError::Nobody(_)) => tokio::time::sleep(Duration::from_millis(10)).await,
            other => break other,
        }
    };
    assert_eq!(first, Ok(Bytes::from_static(b"echo")));
    let refused = bus.ask("ask.test", Bytes::from_static(b"bad"), PATIENCE).await;
    assert_eq!(refused, Err(AskError::Failed { subject: "ask.test".into(), reason: "not  today".into() }));
    let late = bus.ask("ask.test", Bytes::from_static(b"late"), PATIENCE).await;
    assert_eq!(late, Err(AskError::Late("ask.test".into())));
    let large = Bytes::from(vec![1; 5 << 20]);
    assert_eq!(bus.ask("ask.test", large.clone(), PATIENCE * 10).await, Ok(large));
    drop(answering);
}
