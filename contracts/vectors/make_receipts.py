#!/usr/bin/env python3
"""Makes receipts.json: signed receipts, good and bad, for records whose proofs stand in proofs.json.

With it the whole way can be walked: bytes -> leaf -> root -> receipt here, bytes -> leaf -> block -> log there. JWSs are
put together by hand as RFC 7515 section 7.1 says, the keys are named by RFC 7638, and Ed25519 is the reference arithmetic
of make_proofs.py. What is bad is signed as it stands wherever that can be: a reader that lets it through would find a
signature that verifies. The same bytes every time.

    python3 contracts/vectors/make_receipts.py            writes receipts.json beside this file
    python3 contracts/vectors/make_receipts.py --check    compares instead; exit code 1 when it differs
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

import make_proofs as proofs

HERE = pathlib.Path(__file__).parent
TYP = "dsom-receipt+jwt"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def seed(name):
    return hashlib.sha256(b"dsom golden receipts: " + name.encode()).digest()


OLD, KEY, STRANGER = seed("the key before"), seed("the key"), seed("nobody's key")


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def compact(value):
    return json.dumps(value, separators=(",", ":")).encode()


def jwk(key):
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url(proofs.public_key(key))}


def kid(key):
    """RFC 7638: the required members in order of their names, hashed."""
    members = jwk(key)
    return b64url(hashlib.sha256(compact({name: members[name] for name in sorted(members)})).digest())


# RFC 8037 appendix A.3.
A3 = {"crv": "Ed25519", "kty": "OKP", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
assert b64url(hashlib.sha256(compact(A3)).digest()) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def jws(header, payload, key):
    signed = f"{b64url(header)}.{b64url(payload)}"
    return f"{signed}.{b64url(proofs.sign(key, signed.encode()))}"


# RFC 8037 appendix A.4.
A1 = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
assert jws(b'{"alg":"EdDSA"}', b"Example of Ed25519 signing", A1).endswith(
    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


def header(key, **changed):
    members = {"alg": "EdDSA", "typ": TYP, "kid": kid(key), **changed}
    return compact({name: value for name, value in members.items() if value is not None})


def batch(operator, stream, first, last, proof):
    records = [proofs.record(operator, stream, seq) for seq in range(first, last + 1)]
    leaves = [proofs.leaf_hash(record) for record in records]
    sent = {"operator": operator, "stream": stream, "first_seq": first, "count": len(records)}
    shown = {"records": [r.decode() for r in records], "leaves": [proofs.b64(leaf) for leaf in leaves]}
    return {**sent, **shown, "root": proofs.b64(proofs.root(leaves)), "proof": proof}


ONE, OTHER = proofs.OPERATORS
BATCHES = [
    batch(ONE, 0, 2, 8, "the middle of 9, second stream begins after it"),
    batch(ONE, 0, 1, 1, "the only record of the only block"),
    batch(OTHER, 255, 1, 64, "the first of 64, log of 2"),
]


def claims(at, **changed):
    of = BATCHES[at]
    return {
        "iss": "https://receipts.example",
        "operator": of["operator"],
        "stream": of["stream"],
        "first_seq": of["first_seq"],
        "last_seq": of["first_seq"] + of["count"] - 1,
        "count": of["count"],
        "root": of["root"],
        "accepted_at": "2026-10-24T18:00:29.498Z",
        "env": "live",
        **changed,
    }


def answer(signed, shown):
    return {"receipt": signed, "claims": shown}


def good():
    def one(name, at, signed):
        return {"name": name, "batch": at, "receipt": answer(signed, claims(at))}

    backwards = dict(reversed(claims(0).items()))
    return [
        one("seven records", 0, jws(header(KEY), compact(claims(0)), KEY)),
        one("a single record: its leaf is the root", 1, jws(header(KEY), compact(claims(1)), KEY)),
        one("sixty-four records", 2, jws(header(KEY), compact(claims(2)), KEY)),
        one("signed by the key before", 0, jws(header(OLD), compact(claims(0)), OLD)),
        one("members in another order, with spaces", 0, jws(header(KEY), json.dumps(backwards, indent=1).encode(), KEY)),
        one("the header says more than must be understood", 0, jws(header(KEY, more=1), compact(claims(0)), KEY)),
    ]


def stray_bit(text):
    """The same bytes in other base64: the last character's unused bits are not zero."""
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1]


def bad():
    out = []
    payload = compact(claims(0))
    right = jws(header(KEY), payload, KEY)
    head, body, signature = right.split(".")
    raw = proofs.sign(KEY, f"{head}.{body}".encode())

    def refuse(reason, name, signed, shown=None):
        assert signed != right or shown is not None, name
        out.append({"name": name, "batch": 0, "reason": reason, "receipt": answer(signed, shown or claims(0))})

    for name, changed in [
        ("another type", {"typ": "JWT"}),
        ("no type", {"typ": None}),
        ("an access token's type", {"typ": "at+jwt"}),
        ("no key named", {"kid": None}),
        ("a key named that is not in the set", {"kid": kid(STRANGER)}),
        ("something critical that nobody knows", {"crit": ["exp"], "exp": 1}),
        ("another algorithm named: ES256", {"alg": "ES256"}),
    ]:
        refuse("header", name, jws(header(KEY, **changed), payload, KEY))
    unsigned = f"{b64url(header(KEY, alg='none'))}.{body}"
    refuse("header", "alg none, no signature", unsigned + ".")
    refuse("header", "alg none, a signature all the same", jws(header(KEY, alg="none"), payload, KEY))
    symmetric = f"{b64url(header(KEY, alg='HS256'))}.{body}"
    tag = hmac.new(proofs.public_key(KEY), symmetric.encode(), hashlib.sha256).digest()
    refuse("header", "HS256 with the public key for a secret", f"{symmetric}.{b64url(tag)}")
    refuse("header", "a header that is no JSON", jws(b"{", payload, KEY))
    refuse("header", "no text at all", "")

    refuse("signature", "signed by another key than the one named", jws(header(KEY), payload, STRANGER))
    refuse("signature", "signed by the key before, in the name of this one", jws(header(KEY), payload, OLD))
    changed = compact(claims(0, count=8))
    refuse("signature", "a signed claim changed", f"{head}.{b64url(changed)}.{signature}", claims(0, count=8))
    other_head = b64url(header(KEY, more=1))
    refuse("signature", "the header changed", f"{other_head}.{body}.{signature}")
    for at in (0, 31, 32, 63):
        flipped = bytes(byte ^ (1 if at == n else 0) for n, byte in enumerate(raw))
        refuse("signature", f"byte {at} of the signature changed", f"{head}.{body}.{b64url(flipped)}")
    s = int.from_bytes(raw[32:], "little") + proofs.Q
    refuse("signature", "S plus the order of the group", f"{head}.{body}.{b64url(raw[:32] + s.to_bytes(32, 'little'))}")
    refuse("signature", "cut short", f"{head}.{body}.{b64url(raw[:63])}")
    refuse("signature", "a byte too many", f"{head}.{body}.{b64url(raw + bytes(1))}")
    refuse("signature", "no signature", f"{head}.{body}.")
    refuse("signature", "base64 of the signature with a stray bit", f"{head}.{body}.{stray_bit(signature)}")
    refuse("signature", "base64 of the signature with padding", f"{right}==")
    refuse("signature", "base64 of the other alphabet", f"{head}.{body}.{base64.b64encode(raw).decode().rstrip('=')}")

    refuse("claims", "an open claim differs from the signed one", right, claims(0, count=8))
    refuse("claims", "signed for another batch than the open claims say", jws(header(KEY), compact(claims(1)), KEY))

    for name, changed in [
        ("operator", {"operator": OTHER}),
        ("stream", {"stream": 3}),
        ("first_seq", {"first_seq": 1, "count": 8}),
        ("last_seq", {"last_seq": 9, "count": 8}),
        ("count", {"count": 6}),
        ("root", {"root": BATCHES[1]["root"]}),
    ]:
        lie = claims(0, **changed)
        refuse(name, f"well signed, and not for these records: {name}", jws(header(KEY), compact(lie), KEY), lie)
    return out


def made():
    about = (
        "keys: the JWK Set of /v1/receipt-keys after a rotation. good and bad: receipts as they are answered, held against "
        "the batch of their number; proof names the proof in proofs.json of one of its records. reason: the first thing "
        "that is wrong, looked for in this order: header, signature, claims (the open ones differ from the signed ones), then "
        "the claim that is not that of the batch."
    )
    keys = [{**jwk(key), "alg": "EdDSA", "use": "sig", "kid": kid(key)} for key in (KEY, OLD)]
    return {"about": about, "keys": {"keys": keys}, "batches": BATCHES, "good": good(), "bad": bad()}


def main():
    known = json.loads((HERE / "proofs.json").read_text())["good"]
    for one in BATCHES:
        assert any(one["proof"] == p["name"] and p["record"] in one["records"] for p in known), one["proof"]
    text = json.dumps(made(), indent=1) + "\n"
    path = HERE / "receipts.json"
    if sys.argv[1:] == ["--check"]:
        if path.read_text() != text:
            print(f"{path} differs from what make_receipts.py makes", file=sys.stderr)
            return 1
        return 0
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
