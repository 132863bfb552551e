//! Keys and what they sign: the examples of the RFCs, and what attackers hand in.

use super::*;

#[test]
fn thumbprints_are_those_of_the_rfcs() {
    // RFC 8037 appendix A.3.
    let ed = PublicJwk {
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
        y: None,
    };
    assert_eq!(ed.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert!(ed.open().is_ok());
}

#[test]
fn the_examples_of_the_rfcs_verify() {
    // RFC 8037 appendix A.4.
    let ed = PublicJwk {
        kty: "OKP".into(),
        crv: "Ed25519".into(),
        x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".into(),
        y: None,
    };
    let text = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.\
                hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let jws = Jws::parse(text).expect("a JWS");
    let key = ed.open().expect("a key");
    assert_eq!(key.verify(jws.signed.as_bytes(), &jws.signature), Ok(()));
    // RFC 7515 appendix A.3.
    let ec = PublicJwk {
        kty: "EC".into(),
        crv: "P-256".into(),
        x: "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU".into(),
        y: Some("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0".into()),
    };
    let text = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let jws = Jws::parse(text).expect("a JWS");
    let key = ec.open().expect("a key");
    let claims: serde_json::Value = jws.verify(&key).expect("verifies");
    assert_eq!(claims["iss"], "joe");
    // The other key's algorithm, and another's bytes.
    assert_eq!(jws.verify::<serde_json::Value>(&ed.open().expect("a key")), Err(BadKey::Algorithm));
    assert_eq!(key.verify(b"other", &jws.signature), Err(BadKey::Signature));
}

#[test]
fn what_is_no_key_is_refused() {
    let good = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let jwk = |kty: &str, crv: &str, x: &str, y: Option<&str>| PublicJwk {
        kty: kty.into(),
        crv: crv.into(),
        x: x.into(),
        y: y.map(str::to_owned),
    };
    for bad in [
        jwk("RSA", "Ed25519", good, None),
        jwk("OKP", "X25519", good, None),
        jwk("OKP", "Ed25519", good, Some(good)),
        jwk("OKP", "Ed25519", "", None),
        jwk("OKP", "Ed25519", &format!("{good}="), None),
        jwk("OKP", "Ed25519", &good[..40], None),
        jwk("EC", "P-256", good, None),
        jwk("EC", "P-256", good, Some(good)),
    ] {
        assert!(matches!(bad.open(), Err(BadKey::Form(_))), "{bad:?}");
    }
}

#[test]
fn a_jws_that_brings_its_own_key_or_conditions_is_refused() {
    for (member, value) in [
        ("jwk", "{}"),
        ("jku", "\"https://x\""),
        ("x5u", "\"https://x\""),
        ("x5c", "[]"),
        ("crit", "[]"),
        ("crit", "null"),
        ("jwk", "null"),
        ("b64", "false"),
    ] {
        let header = URL_SAFE_NO_PAD.encode(format!(r#"{{"alg":"EdDSA","{member}":{value}}}"#));
        assert!(matches!(Jws::parse(&format!("{header}.e30.AA")), Err(BadKey::Header(found)) if found == member));
    }
    for text in ["", ".", "..", "a.b", "e30.e30.AA", &"a".repeat(JWS_BYTES_MAX + 1)] {
        assert!(matches!(Jws::parse(text), Err(BadKey::Jws)), "{text:.20}");
    }
}

/// The encodings of the eight points of small order on edwards25519 (RFC 8032 section 5.1; the points as in "Taming the many EdDSAs",
/// Chalkias, Garillot and Nikolaenko 2020, table 1), and of those among them that have a second one.
const SMALL_ORDER: [&str; 14] = [
    // Order 1, 2, 4, 4, 8, 8, 8, 8.
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    // Not canonical: the sign of x = 0, and y above the field's size.
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn ed25519(x: [u8; 32]) -> PublicJwk {
    PublicJwk { kty: "OKP".into(), crv: "Ed25519".into(), x: URL_SAFE_NO_PAD.encode(x), y: None }
}

fn bytes_of(hex: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).expect("hex"))
}

#[test]
fn keys_that_anybody_can_sign_for_are_refused() {
    for point in SMALL_ORDER {
        assert!(matches!(ed25519(bytes_of(point)).open(), Err(BadKey::Form(_))), "{point}");
    }
    // Every y from the field's size, 2^255 - 19, up to 2^255 - 1, with either sign: a second text for a key.
    for (low, sign) in (0xed..=0xff).flat_map(|low| [(low, 0x7f), (low, 0xff)]) {
        let mut x = [0xff; 32];
        (x[0], x[31]) = (low, sign);
        assert!(matches!(ed25519(x).open(), Err(BadKey::Form(_))), "{low:x} {sign:x}");
    }
}

#[test]
fn what_such_a_key_seems_to_have_signed_is_no_proof() {
    // R the identity and S zero is good for every message under the identity as a key: why it must not be registered.
    let forged = [&bytes_of(SMALL_ORDER[0])[..], &[0; 32]].concat();
    let weak = VerifyingKey { kind: KeyKind::Ed25519, bytes: bytes_of(SMALL_ORDER[0]).to_vec() };
    assert_eq!(weak.verify(b"whatever", &forged), Ok(()));
    let jwk = ed25519(bytes_of(SMALL_ORDER[0]));
    let operator: OperatorId = "13013f29-b9df-4b82-ad28-e51596b7e0b4".parse().expect("a UUID");
    let claims = json!({"sub": operator, "aud": "https://r.example", "jkt": jwk.thumbprint(), "env": "live", "iat": 0});
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "EdDSA", "typ": PROOF_TYP})), part(&claims));
    let proof = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(&forged));
    let checked = check_proof(&proof, &jwk, Env::Live, operator, "https://r.example", UnixMillis(0));
    assert!(matches!(checked, Err(BadKey::Form(_))), "{checked:?}");
}

#[test]
fn a_p256_key_is_a_point_of_the_curve_in_its_one_form() {
    // RFC 7515 appendix A.3, and the same with the last bit of y changed, y beyond the field, and no point at all.
    let good = ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let jwk = |x: &str, y: &str| PublicJwk { kty: "EC".into(), crv: "P-256".into(), x: x.into(), y: Some(y.into()) };
    assert!(jwk(good.0, good.1).open().is_ok());
    let (zero, most) = (URL_SAFE_NO_PAD.encode([0; 32]), URL_SAFE_NO_PAD.encode([0xff; 32]));
    for (x, y) in
        [(good.0, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5aw"), (good.0, &*most), (&*most, good.1), (&*zero, &*zero)]
    {
        assert!(matches!(jwk(x, y).open(), Err(BadKey::Form(_))), "{x} {y}");
    }
}
