//! People of an OpenID Connect issuer that signs with RSA, as most do: found by discovery, known by their roles.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use runtime::people::OidcConfig;
use runtime::{ApiError, Health, People, Person, Role, ServeConfig, Service};
use serde_json::{Value, json};

/// An issuer: its key, and what it says of itself.
struct Issuer {
    key: KeyPair,
    running: runtime::Running,
}

fn serve(
    configure: impl Fn(&mut web::ServiceConfig) + Send + Sync + 'static,
    people: Option<Arc<People>>,
) -> runtime::Running {
    let at = ServeConfig { listen: "127.0.0.1:0".parse().unwrap(), workers: 1 };
    let (configure, health) = (Arc::new(configure), Health::new());
    runtime::serve::start(&at, Service { configure, health, auth: None, people, openapi: String::new() }).unwrap()
}

impl Issuer {
    /// `named`: what it calls itself, `None` for its address.
    fn start(named: Option<&'static str>) -> Self {
        let key = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let public = key.public_key();
        let (n, e) =
            (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
        let jwks = json!({"keys": [{"kty": "RSA", "use": "sig", "kid": "rsa-1", "n": part(n), "e": part(e)}]});
        let describe = move |request: actix_web::HttpRequest| {
            let own = format!("http://{}", request.connection_info().host());
            let body =
                json!({"issuer": named.map_or_else(|| own.clone(), str::to_owned), "jwks_uri": format!("{own}/keys")});
            async move { HttpResponse::Ok().json(body) }
        };
        let running = serve(
            move |routes| {
                let jwks = jwks.clone();
                routes
                    .route("/.well-known/openid-configuration", web::get().to(describe))
                    .route("/keys", web::get().to(move || std::future::ready(HttpResponse::Ok().json(jwks.clone()))));
            },
            None,
        );
        Self { key, running }
    }

    fn url(&self) -> String {
        format!("http://{}", self.running.addr())
    }

    fn config(&self) -> OidcConfig {
        OidcConfig {
            issuer: self.url(),
            audience: "dsom".into(),
            jwks: None,
            roles_claim: "realm_access.roles".into(),
            roles: "clerk=registry-clerk".into(),
        }
    }

    fn claims(&self) -> Value {
        let exp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 600;
        json!({
            "iss": self.url(), "aud": ["dsom", "account"], "sub": "f:1:clerk", "exp": exp, "email": "a@b.c",
            "realm_access": {"roles": ["registry-clerk", "offline_access"]},
        })
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

async fn who(person: Person) -> Result<String, ApiError> {
    let role = person.one_of(&[Role::Auditor, Role::Clerk])?;
    Ok(format!("{} {}", person.sub(), role.as_str()))
}

#[actix_rt::test]
async fn a_person_of_an_issuer_that_signs_with_rsa_is_known_by_its_roles() {
    let issuer = Issuer::start(None);
    let people = People::start(&issuer.config()).await.unwrap();
    assert_eq!(people.ready(), Ok(()));
    let route = |routes: &mut web::ServiceConfig| {
        routes.route("/who", web::get().to(who));
    };
    let service = serve(route, Some(people));
    let url = format!("http://{}/who", service.addr());
    let ask = async |token: &str| {
        let answer = reqwest::Client::new().get(&url).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let header = json!({"alg": "RS256", "typ": "JWT", "kid": "rsa-1"});
    let good = issuer.token(&header, &issuer.claims());
    assert_eq!(ask(&good).await, (200, "f:1:clerk clerk".to_owned()));
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims();
        claims[name] = value;
        issuer.token(&header, &claims)
    };
    assert_eq!(ask(&with("realm_access", json!({"roles": ["clerk"]}))).await.0, 403, "our own name for the role");
    for (what, bad) in [
        ("another issuer", with("iss", json!("https://other.example"))),
        ("another audience", with("aud", json!("account"))),
        ("over", with("exp", json!(1))),
        ("no sub", with("sub", json!(""))),
        ("another algorithm", issuer.token(&json!({"alg": "PS256", "typ": "JWT", "kid": "rsa-1"}), &issuer.claims())),
        ("alg none", issuer.token(&json!({"alg": "none", "typ": "JWT", "kid": "rsa-1"}), &issuer.claims())),
        ("an HMAC", issuer.token(&json!({"alg": "HS256", "typ": "JWT", "kid": "rsa-1"}), &issuer.claims())),
        ("another key", issuer.token(&json!({"alg": "RS256", "typ": "JWT", "kid": "rsa-2"}), &issuer.claims())),
        ("another issuer's key", Issuer::start(None).token(&header, &issuer.claims())),
        ("cut short", good[..good.len() - 2].to_owned()),
    ] {
        assert_eq!(ask(&bad).await.0, 401, "{what}");
    }
}

#[actix_rt::test]
async fn an_issuer_that_calls_itself_otherwise_is_not_taken() {
    let issuer = Issuer::start(Some("https://another.example"));
    let people = People::start(&issuer.config()).await.unwrap();
    assert!(people.ready().is_err());
}
