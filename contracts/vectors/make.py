"""Makes records.json, batches.json and headers.json from RECORD.md with hashlib and json alone. `--check` only compares."""

import base64
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
NOW_MS = 1792864829498  # 2026-10-24T18:00:29.498Z: the server's clock in every vector.
OPERATOR = "13013f29-b9df-4b82-ad28-e51596b7e0b4"
ID = "55d3f385-fe76-4324-9d76-9105cb9ecb%02x"


def sha(data):
    return hashlib.sha256(data).digest()


def b64(data):
    return base64.b64encode(data).decode()


def leaf(record):
    return sha(b"\0" + record)


def root(leaves):
    """RFC 6962, section 2.1: split at the largest power of two below the size."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha(b"\1" + root(leaves[:half]) + root(leaves[half:]))


def record(seq, type_, amount=100, /, **more):
    values = {"seq": seq, "id": ID % seq, "type": type_, "at": "2026-10-24T18:00:29Z", "amount": amount}
    return json.dumps({**values, "currency": "UAH", "channel": "web", **more}, separators=(",", ":"))


WAGER = record(1, "wager", vertical="betting", game="delta.sportsbook", round="r:3f64", odds="2.5", cash=60, bonus=40)
GOOD = [
    WAGER,
    WAGER.replace('"web"', '"w\\u0065b"'),  # An escape is another way to write the same value: other bytes, other leaf.
    " " + WAGER.replace(":1,", " : 1 ,", 1),
    record(2, "wager", vertical="slots", game="delta.fruits", round="1", outcome="lost", build="0f" * 32, jackpot=1),
    record(3, "payout", wager=ID % 1, kind="win", withheld=20, player="pEGG8E0yWT2zNSQMyLalhKe"),
    record(4, "payout", 0, wager=ID % 1, kind="loss"),
    record(5, "refund", wager=ID % 1, reason="void_event", corrects=ID % 4),
    record(6, "adjustment", kind="deposit", method="card", status="done", balance=10**15),
    record(7, "adjustment", 0, kind="dormant", status="done"),
]
CHANGES = [
    ('"seq":1', '"seq":0', "/seq", "out-of-range"),
    ('"seq":1', '"seq":9007199254740992', "/seq", "out-of-range"),
    ('"seq":1', '"seq":"1"', "/seq", "wrong-type"),
    ('"seq":1', '"seq":1,"s\\u0065q":1', "/seq", "duplicate-name"),
    ('"seq":1', '"seq":1,"kind":"win"', "/kind", "unknown-name"),
    ('"seq":1', '"seq":01', "", "bad-json"),
    ('"seq":1,', "", "/seq", "missing"),
    ('"seq":1', '"seq":[[1]]', "/seq", "too-deep"),
    ("{", "{" + " " * 2048, "", "too-long"),
    ("{", "\ufeff{", "", "bad-json"),
    ('"amount":100', '"amount":100.0', "/amount", "not-an-integer"),
    ('"amount":100', '"amount":1000000000000001', "/amount", "out-of-range"),
    ("55d3f385", "55D3F385", "/id", "bad-uuid"),
    ("29Z", "29+00:00", "/at", "bad-time"),
    ("2026-10-24", "2026-02-29", "/at", "bad-time"),
    ("2026-10-24T18:00:29Z", "2026-10-24T18:00:34.499Z", "/at", "out-of-range"),
    ("2026-10-24", "2019-12-31", "/at", "out-of-range"),
    ("UAH", "XXX", "/currency", "unknown-currency"),
    ('"web"', '"fax"', "/channel", "unknown-value"),
    ("delta.", "Delta.", "/game", "bad-form"),
    ('"2.5"', '"1.00"', "/odds", "bad-form"),
    ("betting", "slots", "/odds", "contradiction"),
    ('"cash":60', '"cash":61', "/cash", "contradiction"),
    ('"seq":1', '"seq":1,"player":"player_00380501234567"', "/player", "personal-data"),
    ('"seq":1', '"seq":1,"player":"UA213223130000026007233566001"', "/player", "personal-data"),
    ('"seq":1', '"seq":1,"player":"pEGG8E0yWT2zNSQMy\\ud800"', "/player", "bad-json"),
]


def records():
    good = [{"record": text, "leaf": b64(leaf(text.encode()))} for text in GOOD]
    bad = [
        {"record": WAGER.replace(old, new, 1), "pointer": pointer, "code": code} for old, new, pointer, code in CHANGES
    ]
    return {"now_ms": NOW_MS, "good": good, "bad": bad}


def batches():
    good = []
    lines = [record(seq, "refund", wager=ID % 200, reason="other") for seq in range(3, 12)]
    for size in (1, 2, 3, 5, 8, 9):
        part = lines[:size]
        claims = {
            "iss": "https://ingest.example",
            "operator": OPERATOR,
            "stream": 7,
            "first_seq": 3,
            "last_seq": 2 + size,
            "count": size,
            "root": b64(root([leaf(line.encode()) for line in part])),
            "accepted_at": "2026-10-24T18:00:29.498Z",
            "env": "live",
        }
        bodies = {"application/x-ndjson": "\n".join(part) + "\n", "application/json": "[ " + " ,\n".join(part) + " ]"}
        for media, body in bodies.items():
            good.append({"media": media, "body": body, "claims": claims})
    one, two, four = lines[0], lines[1], lines[3]
    long = two.replace("{", "{" + " " * (2049 - len(two)), 1)
    bad = [
        ("application/x-ndjson", "", "empty-batch"),
        ("application/json", " [ ] ", "empty-batch"),
        ("application/x-ndjson", f"{one}\n{four}\n", "not-consecutive"),
        ("application/x-ndjson", f"{two}\n{one}\n", "not-consecutive"),
        ("application/x-ndjson", f"{one}\r\n{two}\r\n", "invalid-records"),
        ("application/x-ndjson", f"{one}\n\n{two}\n", "invalid-records"),
        ("application/x-ndjson", f"{one}\n  \n", "invalid-records"),
        ("application/x-ndjson", f"{one}\n{two.replace(ID % 4, ID % 3, 1)}\n", "invalid-records"),
        ("application/x-ndjson", f"{one}\n{long}\n{lines[2]}\n", "invalid-records"),
        ("application/json", f"[{one},]", "invalid-records"),
        ("application/json", f"[[{one}]]", "invalid-records"),
        ("application/json", f"[{one}", "bad-body"),
        ("application/json", f"[{one}]]", "bad-body"),
    ]
    bad = [{"media": m, "body": b, "code": c} for m, b, c in bad]
    announced = b64(root([leaf(two.encode()), leaf(one.encode())]))
    bad.append({"media": "application/x-ndjson", "body": f"{one}\n{two}\n", "root": announced, "code": "root-mismatch"})
    # As sent, without the last LF, the root over the two lines as one text.
    whole = b64(leaf(f"{one}\n{two}".encode()))
    bad.append({"media": "application/x-ndjson", "body": f"{one}\n{two}\n", "root": whole, "code": "root-mismatch"})
    line = one.replace('"seq":3', '"seq":SEQ')
    many = {"line": line, "first_seq": 1, "count": 10_001}
    bad.append({"media": "application/x-ndjson", "made": many, "code": "too-many-records"})
    # 4,200 lines of 2,000 bytes and more: over 8 MiB, and none too long.
    big = {"line": line.replace("{", "{" + " " * (2_000 - len(line)), 1), "first_seq": 1, "count": 4_200}
    bad.append({"media": "application/x-ndjson", "made": big, "code": "too-big"})
    return {"now_ms": NOW_MS, "good": good, "bad": bad, "retries": retries()}


def retries():
    """Batches that are sent again after one was accepted."""
    first, second, third = (record(seq, "refund", wager=ID % 200, reason="other") for seq in (1, 2, 3))
    spaced = first.replace(":1,", ": 1,", 1)
    escaped = second.replace('"web"', '"w\\u0065b"')
    turned = json.dumps(dict(reversed(json.loads(first).items())), separators=(",", ":"))
    dearer = second.replace('"amount":100', '"amount":101')
    as_other = second.replace('"reason":"other"', '"reason":"malfunction"')
    out = []
    for name, sent, code, seq, count in [
        ("the same bytes", [first, second, third], None, None, None),
        ("a space more", [spaced, second, third], "reserialised", 1, 1),
        ("an escape for a letter", [first, escaped, third], "reserialised", 2, 1),
        ("members in another order, and a space", [turned, second, third.replace(":3,", ": 3,", 1)], "reserialised", 1, 2),
        ("another amount", [first, dearer, third], "rewrite-attempt", 2, 1),
        ("another reason", [first, as_other, third], "rewrite-attempt", 2, 1),
        ("built anew in front of another amount", [spaced, dearer, third], "rewrite-attempt", 2, 1),
        ("two records changed places", [first.replace(ID % 1, ID % 2), second.replace(ID % 2, ID % 1), third],
         "rewrite-attempt", 1, 2),
    ]:
        case = {"name": name, "accepted": f"{first}\n{second}\n{third}\n", "sent": "\n".join(sent) + "\n", "code": code}
        out.append({**case, "seq": seq, "records": count} if code else case)
    return out


def header(height, previous, count, total, streams):
    block_root = b64(sha(b"root %d" % height))
    return (
        f"dsom.block.v1\noperator {OPERATOR}\nheight {height}\nprevious {b64(previous)}\nrecords {count}\n"
        f"total {total}\nroot {block_root}\nstreams {streams}\nsealed 2026-10-24T18:00:29.498Z\n"
    )


def headers():
    first = header(1, bytes(32), 4, 4, "0:1-4")
    second = header(2, sha(first.encode()), 5, 9, "0:5-7,12:1-2")
    good = [
        {"header": text, "block_hash": b64(sha(text.encode())), "log_leaf": b64(leaf(text.encode()))}
        for text in (first, second)
    ]
    changes = [
        ("height 2", "height 02", "leading zero"),
        ("height 2", "height  2", "two spaces"),
        ("\nheight", "\r\nheight", "CR before LF"),
        ("dsom.block.v1", "dsom.block.v2", "another form"),
        ("0:5-7,12:1-2", "12:1-2,0:5-7", "streams not ascending"),
        ("0:5-7", "0:7-5", "a range that ends before it begins"),
        ("records 5", "records 6", "ranges do not add up to the records"),
        ("total 9", "total 5", "the total leaves nothing for the blocks before"),
        ("height 2", "height 1", "the first block has no previous one"),
        (".498Z\n", "Z\n", "no milliseconds"),
        (".498Z\n", ".498Z", "the last LF is missing"),
        (".498Z\n", ".498Z\n\n", "a line too many"),
        ("=\nrecords", "\nrecords", "base64 without padding"),
    ]
    return {"good": good, "bad": [{"header": second.replace(a, b, 1), "reason": why} for a, b, why in changes]}


def main():
    same = True
    for name, made in (("records", records()), ("batches", batches()), ("headers", headers())):
        text = json.dumps(made, indent=1) + "\n"
        path = HERE / f"{name}.json"
        if sys.argv[1:] == ["--check"]:
            if path.read_text() != text:
                same = False
                print(f"{path} differs from what make.py makes", file=sys.stderr)
        else:
            path.write_text(text)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
