//! Keys from an issuer's address.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::{HttpResponse, web};
use contracts::OperatorId;
use runtime::auth::TokenError;
use runtime::{Auth, AuthConfig, Health, Running, ServeConfig, Service, serve};
use testkit::{AUDIENCE, ISSUER, Issuer};

use crate::OPERATOR;

#[derive(Default)]
struct Published {
    jwks: Mutex<String>,
    asked: AtomicUsize,
}

fn publish(published: &Arc<Published>, listen: &str) -> Running {
    let data = web::Data::from(Arc::clone(published));
    let configure = move |routes: &mut web::ServiceConfig| {
        routes.app_data(data.clone()).route("/jwks", web::get().to(jwks));
    };
    let service = Service {
        configure: Arc::new(configure),
        health: Health::new(),
        auth: None,
        people: None,
        openapi: String::new(),
    };
    serve::start(&ServeConfig { listen: listen.parse().unwrap(), workers: 1 }, service).unwrap()
}

async fn jwks(published: web::Data<Published>) -> HttpResponse {
    published.asked.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().body(published.jwks.lock().unwrap().clone())
}

fn config(at: &str) -> AuthConfig {
    AuthConfig {
        jwks: format!("http://{at}/jwks"),
        token_issuer: ISSUER.to_owned(),
        token_audience: AUDIENCE.to_owned(),
        client_cert: Default::default(),
    }
}

#[actix_web::test]
async fn an_unknown_key_is_asked_for_but_not_at_every_token() {
    let published = Arc::new(Published::default());
    let (old, new) = (Issuer::new(), Issuer::new());
    *published.jwks.lock().unwrap() = old.jwks().to_string();
    let running = publish(&published, "127.0.0.1:0");
    let auth = Auth::start(&config(&running.addr().to_string()), None).await.unwrap();
    let operator: OperatorId = OPERATOR.parse().unwrap();
    auth.check(&old.token(operator, "a")).await.unwrap();
    *published.jwks.lock().unwrap() = new.jwks().to_string();
    auth.check(&new.token(operator, "a")).await.unwrap();
    for _ in 0..100 {
        let stranger = Issuer::new().token(operator, "a");
        assert_eq!(auth.check(&stranger).await.unwrap_err(), TokenError::UnknownKey);
    }
    assert_eq!(published.asked.load(Ordering::SeqCst), 2, "at the start and for the first unknown key");
    running.stop().await;
    auth.check(&new.token(operator, "b")).await.expect("keys stay when the issuer is away");
}

#[actix_web::test]
async fn an_issuer_that_comes_later_is_waited_for() {
    let port = testkit::free_port();
    let at = format!("127.0.0.1:{port}");
    let auth = Auth::start(&config(&at), None).await.unwrap();
    assert!(auth.ready().is_err());
    let published = Arc::new(Published::default());
    *published.jwks.lock().unwrap() = Issuer::new().jwks().to_string();
    let _running = publish(&published, &at);
    for _ in 0..100 {
        if auth.ready().is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the keys were not asked for again");
}
