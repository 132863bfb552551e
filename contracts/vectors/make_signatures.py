#!/usr/bin/env python3
"""Makes batch-signatures.json: signed batches, good and bad, from docs/SIGNATURES.md and RFC 9421 alone.

Signature bases are put together by hand as section 2.5 says; keys and signatures are those of the package
`cryptography` (OpenSSL), never of the Rust code they test. What is bad is signed as it stands wherever that can be:
a reader that lets it through would find a signature that verifies. The same bytes every time.

    python3 contracts/vectors/make_signatures.py            writes batch-signatures.json beside this file
    python3 contracts/vectors/make_signatures.py --check    compares instead; exit code 1 when it differs

Exit code 2: `cryptography` is not there, or older than its deterministic ECDSA (RFC 6979).
"""

import base64
import hashlib
import json
import pathlib
import sys

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    ECDSA = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
except (ImportError, TypeError, UnsupportedAlgorithm) as error:
    print(f"cryptography with deterministic ECDSA is needed: {error}", file=sys.stderr)
    sys.exit(2)

import make

HERE = pathlib.Path(__file__).parent
NDJSON, JSON = "application/x-ndjson", "application/json"
PATH = "/v1/streams/7/batches"
CREATED = 1792864829  # 2026-10-24T18:00:29Z
COVERED = '("@method" "@path" "content-type" "dsom-batch-root")'
RECORDS = [make.record(seq, "refund", wager=make.ID % 200, reason="other") for seq in (1, 2, 3)]
ROOT = make.b64(make.root([make.leaf(record.encode()) for record in RECORDS]))
OTHER_ROOT = make.b64(make.leaf(RECORDS[0].encode()))
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
ED25519_FIELD = 2**255 - 19


def secret(name):
    return hashlib.sha256(b"dsom batch signatures: " + name.encode()).digest()


def p256_key(name):
    return ec.derive_private_key(int.from_bytes(secret(name), "big") % P256_ORDER, ec.SECP256R1())


KEYS = {
    "ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(secret("ed25519")),
    "ed25519-other": ed25519.Ed25519PrivateKey.from_private_bytes(secret("ed25519-other")),
    "p256": p256_key("p256"),
    "p256-other": p256_key("p256-other"),
}


def b64url(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def pkcs8(key):
    form = (serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return make.b64(key.private_bytes(*form))


def jwk(key):
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": b64url(raw)}
    point = key.public_key().public_numbers()
    x, y = (b64url(value.to_bytes(32, "big")) for value in (point.x, point.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def stray_bit(text):
    """The same bytes to a careless reader: the lowest of the last character's unused bits is set."""
    return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1]


def alg_of(name):
    return "ed25519" if name.startswith("ed25519") else "ecdsa-p256-sha256"


def raw_sign(name, base):
    """64 bytes: RFC 8032, or r and s (RFC 9421 section 3.3.4)."""
    if name.startswith("ed25519"):
        return KEYS[name].sign(base.encode())
    r, s = decode_dss_signature(KEYS[name].sign(base.encode(), ECDSA))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def params(name, created=CREATED, keyid=None):
    return f'{COVERED};created={created};keyid="{keyid or "key-" + name}";alg="{alg_of(name)}"'


def base(params_text, path=PATH, content_type=NDJSON, root=ROOT):
    """RFC 9421 section 2.5: a line each, the parameters last, no LF at the end."""
    return (
        f'"@method": POST\n"@path": {path}\n"content-type": {content_type.strip()}\n"dsom-batch-root": {root}\n'
        f'"@signature-params": {params_text}'
    )


def request(title, name, params_text, signature, path=PATH, content_type=NDJSON, root=ROOT, label="dsom"):
    return {
        "name": title,
        "key": name,
        "path": path,
        "content_type": content_type,
        "root": root,
        "signature_input": f"{label}={params_text}",
        "signature": f"{label}=:{make.b64(signature)}:",
    }


def stored(one):
    return (
        f"dsom.batch-signature.v1\npath {one['path']}\ncontent-type {one['content_type'].strip()}\n"
        f"input {one['signature_input']}\nsignature {one['signature']}\n"
    )


def good():
    longest = "application/json; " + "x" * 110
    both = [(name, media) for name in ("ed25519", "p256") for media in (NDJSON, JSON)]
    cases = [(f"{name}, {media}", name, {}, {"content_type": media}) for name, media in both]
    cases += [
        ("a content type with a parameter", "p256", {}, {"content_type": "application/json; charset=utf-8"}),
        ("spaces around the content type are not signed", "ed25519", {}, {"content_type": f" \t{NDJSON} \t"}),
        ("created is zero", "ed25519", {"created": 0}, {}),
        ("the last second of the year 9999", "p256", {"created": 253402300799}, {}),
        ("a key id of marks that mean something elsewhere", "ed25519", {"keyid": "a;b=c,(d):'e'"}, {}),
        ("a thumbprint of RFC 7638 as key id", "p256", {"keyid": b64url(hashlib.sha256(b"jwk").digest())}, {}),
        (
            "the longest of everything",
            "p256",
            {"created": 253402300799, "keyid": "k" * 128},
            {"path": "/" + "p" * 255, "content_type": longest},
        ),
    ]
    out = []
    for title, name, parameters, covered in cases:
        text = params(name, **parameters)
        signed = base(text, **covered)
        one = request(title, name, text, raw_sign(name, signed), **covered)
        keyid = parameters.get("keyid") or f"key-{name}"
        facts = {"created_s": parameters.get("created", CREATED), "keyid": keyid, "alg": alg_of(name)}
        out.append({**one, **facts, "base": signed, "stored": stored(one), "ours": True})
    # ECDSA has two signatures (r, s) and (r, n - s): signers make either, both verify. Ours makes the one above.
    twin = dict(next(one for one in out if one["key"] == "p256"))
    sig = base64.b64decode(twin["signature"][6:-1])
    flipped = sig[:32] + (P256_ORDER - int.from_bytes(sig[32:], "big")).to_bytes(32, "big")
    twin.update(name="the other s of ECDSA", signature=f"dsom=:{make.b64(flipped)}:", ours=False)
    return [*out, {**twin, "stored": stored(twin)}]


def bad():
    out = []

    def add(title, code, one, **changes):
        out.append({**one, "name": title, **changes, "refused": code})

    def signed(text, name="ed25519", **covered):
        return request("", name, text, raw_sign(name, base(text, **covered)), **covered)

    plain, plain_p256 = params("ed25519"), params("p256")
    one, p256 = signed(plain), signed(plain_p256, "p256")
    ours, sig = one["signature_input"], one["signature"]
    created, keyid = f";created={CREATED}", ';keyid="key-ed25519"'

    for title, code, old, new in [
        ("components in another order", "components", '"@method" "@path"', '"@path" "@method"'),
        ("a component too few", "components", ' "content-type"', ""),
        ("a component too many", "components", 'root")', 'root" "@authority")'),
        ("a component twice", "components", '("@method"', '("@method" "@method"'),
        ("no components", "components", COVERED, "()"),
        ("a component with a parameter", "components", '"content-type"', '"content-type";sf'),
        ("the digest of the body in place of the root", "components", "dsom-batch-root", "content-digest"),
        ("a component in capitals", "components", '"content-type"', '"Content-Type"'),
        ("two spaces between components", "components", '"@method" ', '"@method"  '),
        ("a space inside the list", "components", '("', '( "'),
        ("expires after created", "parameters", ";keyid", ";expires=1792865129;keyid"),
        ("a nonce at the end", "parameters", 'alg="ed25519"', 'alg="ed25519";nonce="n"'),
        ("a tag first", "parameters", ";created", ';tag="dsom";created'),
        ("created is missing", "parameters", created, ""),
        ("keyid is missing", "parameters", keyid, ""),
        ("alg is missing", "parameters", ';alg="ed25519"', ""),
        ("keyid before created", "parameters", f"{created}{keyid}", f"{keyid}{created}"),
        ("created twice", "parameters", ";keyid", f";created={CREATED};keyid"),
        ("a space before a parameter", "parameters", ";created", " ;created"),
        ("a space after a semicolon", "parameters", ";keyid", "; keyid"),
        ("created is negative", "created", str(CREATED), f"-{CREATED}"),
        ("created with a leading zero", "created", str(CREATED), f"0{CREATED}"),
        ("created after the year 9999", "created", str(CREATED), "253402300800"),
        ("created beyond 64 bits", "created", str(CREATED), "1" + "0" * 30),
        ("created with a plus", "created", str(CREATED), f"+{CREATED}"),
        ("created with a fraction", "created", str(CREATED), f"{CREATED}.5"),
        ("created as a date", "created", str(CREATED), f"@{CREATED}"),
        ("created as a string", "created", str(CREATED), f'"{CREATED}"'),
        ("created is empty", "created", str(CREATED), ""),
        ("a space after created", "created", ";keyid", " ;keyid"),
        ("keyid as a token", "keyid", '"key-ed25519"', "key-ed25519"),
        ("keyid is empty", "keyid", "key-ed25519", ""),
        ("keyid of 129 characters", "keyid", "key-ed25519", "k" * 129),
        ("keyid with a space", "keyid", "key-ed25519", "key ed25519"),
        ("keyid with an escaped quote", "keyid", "key-ed25519", 'key\\"ed25519'),
        ("keyid with an escaped backslash", "keyid", "key-ed25519", "key\\\\ed25519"),
        ("keyid without its last quote", "keyid", '"key-ed25519";alg="ed25519"', '"key-ed25519'),
        ("alg as a token", "alg", 'alg="ed25519"', "alg=ed25519"),
        ("alg is that of RSA", "alg", 'alg="ed25519"', 'alg="rsa-pss-sha512"'),
        ("alg is symmetric", "alg", 'alg="ed25519"', 'alg="hmac-sha256"'),
        ("alg in capitals", "alg", 'alg="ed25519"', 'alg="Ed25519"'),
        ("alg by its JOSE name", "alg", 'alg="ed25519"', 'alg="EdDSA"'),
        ("alg is empty", "alg", 'alg="ed25519"', 'alg=""'),
        ("alg is that of the other type of key", "key-kind", 'alg="ed25519"', 'alg="ecdsa-p256-sha256"'),
    ]:
        text = plain.replace(old, new, 1)
        assert text != plain, title
        add(title, code, signed(text))
    crossed = plain_p256.replace("ecdsa-p256-sha256", "ed25519")
    add("a P-256 key under the other alg", "key-kind", signed(crossed, "p256"))

    other = request("", "ed25519", plain, raw_sign("ed25519", base(plain)), label="sig1")
    add("another label", "label", other)
    add("another label in Signature alone", "label", one, signature=other["signature"])
    add("the label in capitals", "label", one, signature_input=ours.replace("dsom", "DSOM", 1))
    add("a space before the equals sign", "label", one, signature_input=ours.replace("=", " =", 1))
    add("a space before the label", "label", one, signature_input=" " + ours)
    add("an empty header", "label", one, signature_input="")
    add("an empty signature header", "label", one, signature="")
    add("a second signature", "second-signature", one, signature_input=f"{ours}, {other['signature_input']}")
    add("a second signature in Signature alone", "second-signature", one, signature=f"{sig}, {other['signature']}")
    add("the same label twice", "second-signature", one, signature_input=f"{ours},{ours}", signature=f"{sig},{sig}")
    add("another signature first", "label", one, signature_input=f"{other['signature_input']}, {ours}")
    add("a space at the end", "trailing", one, signature_input=ours + " ")
    add("letters at the end", "trailing", one, signature_input=ours + "x")
    add("a space at the end of the signature", "trailing", one, signature=sig + " ")
    add("a parameter of the signature", "trailing", one, signature=sig + ";a=1")
    add("a header of 513 bytes", "size", one, signature_input=ours.replace("key-ed25519", "k" * (513 - len(ours) + 11)))
    add("a signature header of 513 bytes", "size", one, signature="dsom=:" + "A" * 506 + ":")

    value = sig[6:-1]
    raw = base64.b64decode(value)
    url_safe = base64.urlsafe_b64encode(b"\xfb\xff" + raw[2:]).decode()
    add("base64 without padding", "base64", one, signature=f"dsom=:{value.rstrip('=')}:")
    add("stray bits in the last character", "base64", one, signature=f"dsom=:{stray_bit(value[:-2])}==:")
    add("base64url", "base64", one, signature=f"dsom=:{url_safe}:")
    add("a space in the base64", "base64", one, signature=f"dsom=:{value[:40]} {value[40:]}:")
    add("a string in place of bytes", "colons", one, signature=f'dsom="{value}"')
    add("no colon at the end", "colons", one, signature=sig[:-1])
    add("hexadecimal", "length", one, signature=f"dsom=:{raw.hex()}:")
    add("63 bytes", "length", one, signature=f"dsom=:{make.b64(raw[:63])}:")
    add("65 bytes", "length", one, signature=f"dsom=:{make.b64(raw + b'0')}:")
    add("no bytes", "length", one, signature="dsom=::")
    raw_p256 = base64.b64decode(p256["signature"][6:-1])
    r, s = int.from_bytes(raw_p256[:32], "big"), int.from_bytes(raw_p256[32:], "big")
    add("ECDSA in DER", "length", p256, signature=f"dsom=:{make.b64(encode_dss_signature(r, s))}:")

    add("the root of other records", "mismatch", one, root=OTHER_ROOT)
    add("another path", "mismatch", one, path="/v1/streams/8/batches")
    add("another content type", "mismatch", one, content_type=JSON)
    add("created one second later", "mismatch", one, signature_input=ours.replace(str(CREATED), str(CREATED + 1)))
    add("another key id", "mismatch", one, signature_input=ours.replace("key-ed25519", "key-ed25518"))
    add("another Ed25519 key", "mismatch", one, key="ed25519-other")
    add("another P-256 key", "mismatch", p256, key="p256-other")
    add("P-256 over other records", "mismatch", p256, root=OTHER_ROOT)
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    add("one bit of the signature", "mismatch", one, signature=f"dsom=:{make.b64(flipped)}:")
    beyond = raw[:32] + (int.from_bytes(raw[32:], "little") + ED25519_ORDER).to_bytes(32, "little")
    add("S beyond the order of Ed25519", "mismatch", one, signature=f"dsom=:{make.b64(beyond)}:")
    add("r is zero", "mismatch", p256, signature=f"dsom=:{make.b64(bytes(32) + raw_p256[32:])}:")
    order = P256_ORDER.to_bytes(32, "big")
    add("r is the order", "mismatch", p256, signature=f"dsom=:{make.b64(order + raw_p256[32:])}:")
    add("s and r", "mismatch", p256, signature=f"dsom=:{make.b64(raw_p256[32:] + raw_p256[:32])}:")
    get = base(plain).replace("POST", "GET")
    add("signed as GET", "mismatch", request("", "ed25519", plain, raw_sign("ed25519", get)))
    lf = base(plain) + "\n"
    add("signed with a LF at the end of the base", "mismatch", request("", "ed25519", plain, raw_sign("ed25519", lf)))

    for title, path in [
        ("a path with a query", PATH + "?a=1"),
        ("a whole URL", "https://ingest.example" + PATH),
        ("a line feed in the path", PATH + "\n"),
        ("no path", ""),
        ("a path of 257 characters", "/" + "p" * 256),
    ]:
        add(title, "path", signed(plain, path=path))
    for title, media in [
        ("no content type", ""),
        ("a line feed in the content type", "application/json\nx"),
        ("a content type that is not ASCII", "application/jsön"),
        ("a content type of 129 characters", "x" * 129),
    ]:
        add(title, "content-type", signed(plain, content_type=media))
    return out


def bad_stored(first):
    text = first["stored"]
    two, three = f"path {PATH}\n", f"content-type {NDJSON}\n"
    changes = [
        ("another version", "stored-line", ".v1", ".v2"),
        ("a line is missing", "stored-line", three, ""),
        ("two lines are exchanged", "stored-line", two + three, three + two),
        ("CR before LF", "stored-line", "v1\n", "v1\r\n"),
        ("CR before the last LF", "trailing", ":\n", ":\r\n"),
        ("the last LF is missing", "stored-line", ":\n", ":"),
        ("a line too many", "stored-line", ":\n", ":\n\n"),
        ("a space at the end of the content type", "stored-line", NDJSON, NDJSON + " "),
        ("two spaces after a name", "path", "path ", "path  "),
        ("more than 1,024 bytes", "size", PATH, "/" + "p" * 1024),
        ("a query in the path", "path", PATH, PATH + "?a=1"),
        ("other components", "components", '"@path" ', ""),
        ("an empty text", "stored-line", text, ""),
    ]
    return [{"name": title, "text": text.replace(old, new, 1), "refused": code} for title, code, old, new in changes]


def second_encoding():
    """A y of a point of large order, written as y + p: the same key to a careless reader."""
    d = -121665 * pow(121666, -1, ED25519_FIELD) % ED25519_FIELD
    for y in range(2, 19):
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, ED25519_FIELD) % ED25519_FIELD
        if pow(x2, (ED25519_FIELD - 1) // 2, ED25519_FIELD) == 1:
            return b64url((y + ED25519_FIELD).to_bytes(32, "little"))
    raise AssertionError("no such point")


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


def signed_record(seq, name="ed25519"):
    """The file that shows one of the three records: its place by the tree of three, whose shape is ((1 2) 3)."""
    one, two, three = (make.leaf(record.encode()) for record in RECORDS)
    path = {1: [two, three], 2: [one, three], 3: [node(one, two)]}[seq]
    nodes = "".join(make.b64(node) + "\n" for node in path)
    kept = stored(request("", name, params(name), raw_sign(name, base(params(name)))))
    record = make.b64(RECORDS[seq - 1].encode())
    return f"dsom.signed-record.v1\nrecord {record}\nleaf {seq - 1}\ncount 3\nroot {ROOT}\n{nodes}\n{kept}"


def signed_records():
    whole = signed_record(2)
    one, two, three = (make.leaf(record.encode()) for record in RECORDS)
    first, second = (make.b64(RECORDS[at].encode()) for at in (0, 1))
    bad = [
        ("another form", "form", whole.replace("record.v1", "record.v2", 1)),
        ("no blank line", "form", whole.replace("\n\n", "\n")),
        ("a leading zero", "form", whole.replace("leaf 1", "leaf 01")),
        ("base64 without padding", "form", whole.replace(f"root {ROOT}", f"root {ROOT.rstrip('=')}")),
        ("carriage returns", "form", whole.replace("\n", "\r\n")),
        ("65 path nodes", "form", whole.replace(make.b64(one) + "\n", (make.b64(one) + "\n") * 65)),
        ("another record", "place", whole.replace(second, first)),
        ("another place", "place", whole.replace("leaf 1", "leaf 0")),
        ("a place beyond the end", "place", whole.replace("leaf 1", "leaf 3")),
        ("another count", "place", whole.replace("count 3", "count 5")),
        ("a path that is cut", "place", whole.replace(make.b64(three) + "\n", "", 1)),
        ("a path with a node more", "place", whole.replace("\n\n", "\n" + make.b64(two) + "\n\n")),
        ("the root of other records", "place", whole.replace(ROOT, OTHER_ROOT)),
        ("a tree of its own around the record", "mismatch", alone(second, make.b64(two))),
        ("the signature of another key", "mismatch", signed_record(2, "ed25519-other")),
        ("no signature", "stored-line", whole[: whole.index("\n\n") + 2]),
        ("text after the signature", "stored-line", whole + "\n"),
    ]
    return {
        "good": [
            {"key": name, "seq": seq, "file": signed_record(seq, name)}
            for name in ("ed25519", "p256")
            for seq in (1, 2, 3)
        ],
        "bad": [{"name": title, "key": "ed25519", "refused": code, "file": file} for title, code, file in bad],
    }


def alone(record, root):
    whole = signed_record(2)
    kept = whole[whole.index("\n\n") + 2 :]
    return f"dsom.signed-record.v1\nrecord {record}\nleaf 0\ncount 1\nroot {root}\n\n{kept}"


def bad_keys():
    ed, p256 = jwk(KEYS["ed25519"]), jwk(KEYS["p256"])
    raw_y = base64.urlsafe_b64decode(p256["y"] + "=")
    off = b64url(raw_y[:-1] + bytes([raw_y[-1] ^ 1]))
    # A prime field's element written with the prime added, where that still fits into 32 bytes: x = 5 is on P-256.
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    y5 = pow((125 - 15 + b) % prime, (prime + 1) // 4, prime)
    assert y5 * y5 % prime == (125 - 15 + b) % prime
    beyond = {**p256, "x": b64url((5 + prime).to_bytes(32, "big")), "y": b64url(y5.to_bytes(32, "big"))}
    zero = b64url(bytes(32))
    cases = [
        ("an RSA key", "kind", {**ed, "kty": "RSA"}),
        ("Ed448", "kind", {**ed, "crv": "Ed448"}),
        ("X25519", "kind", {**ed, "crv": "X25519"}),
        ("P-384", "kind", {**p256, "crv": "P-384"}),
        ("secp256k1", "kind", {**p256, "crv": "secp256k1"}),
        ("a curve of the other type", "kind", {**p256, "kty": "OKP"}),
        ("an Ed25519 key with a y", "coordinate", {**ed, "y": p256["y"]}),
        ("a P-256 key without y", "coordinate", {name: p256[name] for name in ("kty", "crv", "x")}),
        ("a padded x", "coordinate", {**ed, "x": ed["x"] + "="}),
        ("standard base64", "coordinate", {**ed, "x": "+/" + ed["x"][2:]}),
        ("stray bits in the last character", "coordinate", {**ed, "x": stray_bit(ed["x"])}),
        ("31 bytes", "coordinate", {**ed, "x": b64url(bytes(31))}),
        ("33 bytes", "coordinate", {**p256, "y": b64url(bytes(33))}),
        ("a point off P-256", "point", {**p256, "y": off}),
        ("x and y are zero", "point", {**p256, "x": zero, "y": zero}),
        ("an x beyond the field of P-256", "point", beyond),
        ("no point of Ed25519", "point", {**ed, "x": b64url((2).to_bytes(32, "little"))}),
        ("the neutral point of Ed25519", "point", {**ed, "x": b64url((1).to_bytes(32, "little"))}),
        ("a second encoding of an Ed25519 point", "point", {**ed, "x": second_encoding()}),
    ]
    return [{"name": title, "jwk": key, "refused": code} for title, code, key in cases]


def bad_pkcs8():
    whole = base64.b64decode(pkcs8(KEYS["p256"]))
    cases = [
        ("Ed448", pkcs8(ed448.Ed448PrivateKey.from_private_bytes(secret("a") + secret("b")[:25]))),
        ("P-384", pkcs8(ec.derive_private_key(int.from_bytes(secret("c"), "big"), ec.SECP384R1()))),
        ("cut short", make.b64(whole[:-1])),
        ("a byte too many", make.b64(whole + b"\0")),
        ("nothing", ""),
    ]
    return [{"name": title, "pkcs8": der, "refused": "private"} for title, der in cases]


def check_against_the_rfc():
    """Appendix B.2.6: Ed25519 is deterministic, so the RFC's key over the RFC's base must give the RFC's signature."""
    key = serialization.load_der_private_key(
        base64.b64decode("MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF"), None
    )
    signed = (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@method": POST\n"@path": /foo\n"@authority": example.com\n'
        '"content-type": application/json\n"content-length": 18\n"@signature-params": ("date" "@method" "@path" '
        '"@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"'
    )
    expected = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    assert make.b64(key.sign(signed.encode())) == expected


def main():
    check_against_the_rfc()
    all_good = good()
    made = {
        "keys": {name: {"jwk": jwk(key), "pkcs8": pkcs8(key)} for name, key in KEYS.items()},
        "records": RECORDS,
        "root": ROOT,
        "good": all_good,
        "bad": bad(),
        "bad_stored": bad_stored(all_good[0]),
        "signed_records": signed_records(),
        "bad_keys": bad_keys(),
        "bad_pkcs8": bad_pkcs8(),
    }
    text = json.dumps(made, indent=1) + "\n"
    path = HERE / "batch-signatures.json"
    if sys.argv[1:] == ["--check"]:
        if path.read_text() != text:
            print(f"{path} differs from what make_signatures.py makes", file=sys.stderr)
            return 1
    else:
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
