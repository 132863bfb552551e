#!/usr/bin/env python3
"""Makes certificates.json: certificates of the published checks, good and bad, from docs/CONFORMANCE.md alone.

Keys and signatures are those of the package `cryptography` (OpenSSL), never of the Rust code they test. What is bad is signed as it
stands wherever that can be: a reader that does not look at the claim would take it. The same bytes every time.

    python3 contracts/vectors/make_certificates.py            writes certificates.json beside this file
    python3 contracts/vectors/make_certificates.py --check    compares instead; exit code 1 when it differs

Exit code 2: `cryptography` is not there.
"""

import base64
import hashlib
import json
import pathlib
import sys

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError as error:
    print(f"cryptography is needed: {error}", file=sys.stderr)
    sys.exit(2)

HERE = pathlib.Path(__file__).parent
DAY_S = 86_400
NOW = 1795420800  # 2026-11-23T08:00:00Z
OPERATOR = "13013f29-b9df-4b82-ad28-e51596b7e0b4"
ISSUER = "https://conformance.example"
CHECKS = ["formats", "gaps", "retries", "rewrite-refusal", "clock", "rate", "rotation"]


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def key(name):
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"dsom certificates: " + name.encode()).digest())


def jwk(private):
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(private.public_key().public_bytes_raw())}


def thumbprint(private):
    """RFC 7638: the members in order, without white space."""
    return b64url(hashlib.sha256(json.dumps(jwk(private), sort_keys=True, separators=(",", ":")).encode()).digest())


CERTIFIER, OTHER = key("certifier"), key("other")


def jws(claims, private=CERTIFIER, **header):
    header = {"alg": "EdDSA", "typ": "dsom-conformance+jwt", "kid": thumbprint(private)} | header
    part = lambda value: b64url(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode())
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{b64url(private.sign(signed.encode()))}"


def check(name, result="passed"):
    return {"id": name, "result": result, "evidence": "in figures"}


def claims(**changed):
    """What `dsom conformance` says of an operator that has passed; `None` leaves a claim out."""
    good = {
        "iss": ISSUER,
        "sub": OPERATOR,
        "iat": NOW - 60,
        "jti": "9a3c1d4e-0b1f-4c56-8f3e-2f6f0d1c7a10",
        "env": "test",
        "checklist": "dsom.conformance.v1",
        "result": "passed",
        "rate": 50,
        "rate_s": 20,
        "checks": [check(name) for name in CHECKS],
        "from": "2026-11-23T07:00:00.000Z",
        "to": "2026-11-23T07:58:00.000Z",
        "exchanges": 160,
        "traffic": hashlib.sha256(b"").hexdigest(),
    } | changed
    return {name: value for name, value in good.items() if value is not None}


def good():
    cases = {
        "as dsom conformance writes it": claims(),
        "at a higher rate": claims(rate=5000),
        "of 184 days ago": claims(iat=NOW - 184 * DAY_S),
        "by a clock that is a minute ahead": claims(iat=NOW + 60),
        "with a claim that nobody asks for": claims(more="later"),
        "of another list, of which the register knows the name alone": claims(
            checklist="example.checks.v7", rate=None, rate_s=None, checks=None
        ),
    }
    return [{"what": what, "certificate": jws(said)} for what, said in cases.items()]


def bad():
    """Each with what the register must say of it."""
    wrong = {
        "iss": [None, "", 1, ISSUER + "/", "https://conformance.example.org"],
        "sub": [None, "", OPERATOR.upper(), OPERATOR[:-1] + "5"],
        "env": [None, "live", "Test"],
        "result": [None, "failed", "not-shown", True],
        "checklist": [None, "dsom.conformance.v2", "DSOM.conformance.v1", "dsom.conformance"],
        "iat": [None, "2026-11-23T08:00:00Z", NOW - 184 * DAY_S - 1, NOW + 61, -(2**63), NOW * 1000, 1e300],
        "rate": [None, 49, 0, -50, "50", 50.5, True],
        "rate_s": [None, 19, 200, "20"],
        "checks": [
            None,
            [],
            "passed",
            [check(name) for name in CHECKS[:-1]],
            [check(name) for name in CHECKS[:-1] + CHECKS[:1]],
            [check(name) for name in CHECKS + ["more"]],
            [check(name, "failed" if name == "rate" else "passed") for name in CHECKS],
            [check(name, "not-shown" if name == "clock" else "passed") for name in CHECKS],
            [{"id": name} for name in CHECKS],
        ],
    }
    cases = [
        {"what": f"{name}: {json.dumps(value, ensure_ascii=False)[:60]}", "names": f"the claim {name} must be ", "certificate": jws(claims(**{name: value}))}
        for name, values in wrong.items()
        for value in values
    ]
    part = jws(claims()).split(".")
    forged = claims(sub=OPERATOR)
    cases += [
        {"what": "a key that nobody has named", "names": "the header kid", "certificate": jws(claims(), OTHER)},
        {"what": "another key under the name of the first", "names": "the signature is wrong", "certificate": jws(forged, OTHER, kid=thumbprint(CERTIFIER))},
        {"what": "no kid", "names": "the header kid", "certificate": jws(claims(), kid=None)},
        {"what": "a token", "names": "the header typ", "certificate": jws(claims(), typ="JWT")},
        {"what": "another algorithm", "names": "the algorithm", "certificate": jws(claims(), alg="ES256")},
        {"what": "no algorithm", "names": "the algorithm", "certificate": jws(claims(), alg="none")},
        {"what": "conditions of its own", "names": "the header crit", "certificate": jws(claims(), crit=["exp"])},
        {"what": "a claim changed", "names": "the signature is wrong", "certificate": ".".join([part[0], jws(claims(rate=51)).split(".")[1], part[2]])},
        {"what": "no claims", "names": "the claim set", "certificate": jws([])},
        {"what": "no JWS", "names": "not a compact JWS", "certificate": "passed"},
    ]
    return cases


def main():
    made = {
        "now": NOW,
        "operator": OPERATOR,
        "issuers": [ISSUER],
        "checklists": ["dsom.conformance.v1", "example.checks.v7"],
        "jwks": {"keys": [jwk(CERTIFIER)]},
        "good": good(),
        "bad": bad(),
    }
    text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
    path = HERE / "certificates.json"
    if sys.argv[1:] == ["--check"]:
        if path.read_text() != text:
            print(f"{path} differs from what make_certificates.py makes", file=sys.stderr)
            return 1
    else:
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
