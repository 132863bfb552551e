#!/usr/bin/env python3
"""Makes proofs.json: golden proof files, good and bad, from RECORD's words alone.

Independent of the Rust code on purpose: the tree is the recursion of RFC 6962 section 2.1, Ed25519 is the reference
arithmetic of RFC 8032, and only hashlib is used. The same bytes every time.

    python3 contracts/vectors/make_proofs.py            writes proofs.json beside this file
    python3 contracts/vectors/make_proofs.py --check    compares instead; exit code 1 when it differs
"""

import base64
import hashlib
import json
import pathlib
import sys

ORIGIN = "log.example/dsom"
SEED = hashlib.sha256(b"dsom golden proofs: log key").digest()
OTHER_SEED = hashlib.sha256(b"dsom golden proofs: another key").digest()


def sha256(data):
    return hashlib.sha256(data).digest()


def b64(data):
    return base64.b64encode(data).decode()


# Ed25519, RFC 8032 section 5.1, written for clarity: a key here guards nothing.

P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BY = 4 * pow(5, -1, P) % P


def recover_x(y, sign):
    x2 = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 != sign else x


BX = recover_x(BY, 0)
BASE = (BX, BY, 1, BX * BY % P)


def point_add(a, b):
    e, f = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = f - e, h - g, h + g, f + e
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_mul(scalar, point):
    out = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            out = point_add(out, point)
        point = point_add(point, point)
        scalar >>= 1
    return out


def compress(point):
    inverse = pow(point[2], -1, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def expand(seed):
    h = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(h[:32], "little") & ((1 << 254) - 8) | 1 << 254
    return scalar, h[32:]


def public_key(seed):
    return compress(point_mul(expand(seed)[0], BASE))


def sign(seed, message):
    scalar, prefix = expand(seed)
    public = public_key(seed)
    r = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % Q
    big_r = compress(point_mul(r, BASE))
    k = int.from_bytes(hashlib.sha512(big_r + public + message).digest(), "little") % Q
    return big_r + ((r + k * scalar) % Q).to_bytes(32, "little")


# RFC 8032 section 7.1, test 1.
assert public_key(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")).hex() == (
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
)


# RFC 6962 section 2.1.


def leaf_hash(data):
    return sha256(b"\x00" + data)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


def split(n):
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def root(leaves):
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node_hash(root(leaves[:k]), root(leaves[k:]))


def path(index, leaves):
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return path(index, leaves[:k]) + [root(leaves[k:])]
    return path(index - k, leaves[k:]) + [root(leaves[:k])]


# RECORD: headers, notes, proofs.


def header(operator, height, previous, records, total, block_root, streams, sealed):
    return (
        f"dsom.block.v1\noperator {operator}\nheight {height}\nprevious {b64(previous)}\nrecords {records}\n"
        f"total {total}\nroot {b64(block_root)}\nstreams {streams}\nsealed {sealed}\n"
    ).encode()


def key_id(name, seed):
    return sha256(name.encode() + b"\n\x01" + public_key(seed))[:4]


def vkey(name, seed):
    return f"{name}+{key_id(name, seed).hex()}+{b64(bytes([1]) + public_key(seed))}"


def skey(name, seed):
    return f"PRIVATE+KEY+{name}+{key_id(name, seed).hex()}+{b64(bytes([1]) + seed)}"


def note(text, *signers):
    out = text + "\n"
    for name, seed in signers:
        out += f"\u2014 {name} {b64(key_id(name, seed) + sign(seed, text.encode()))}\n"
    return out


def checkpoint(size, log_root, signers=((ORIGIN, SEED),), origin=ORIGIN, extra=""):
    return note(f"{origin}\n{size}\n{b64(log_root)}\n{extra}", *signers)


def record_proof(record, leaf, nodes, head):
    lines = ["dsom.proof.v1", f"record {b64(record)}", f"leaf {leaf}"] + [b64(n) for n in nodes] + ["", ""]
    return "\n".join(lines).encode() + head


def tlog_proof(extra, index, nodes, signed):
    lines = ["c2sp.org/tlog-proof@v1"] + ([f"extra {b64(extra)}"] if extra is not None else [])
    return "\n".join(lines + [f"index {index}"] + [b64(n) for n in nodes] + ["", ""]) + signed


OPERATORS = ["55d3f385-fe76-4324-9d76-9105cb9ecb0b", "13013f29-b9df-4b82-ad28-e51596b7e0b4"]


def record(operator, stream, seq):
    tag = sha256(f"{operator} {stream} {seq}".encode()).hex()
    uuid = f"{tag[:8]}-{tag[8:12]}-4{tag[13:16]}-a{tag[17:20]}-{tag[20:32]}"
    return (
        f'{{"seq":{seq},"id":"{uuid}","type":"wager","at":"2026-10-24T18:00:{seq % 60:02}Z","amount":{100 + seq},'
        f'"currency":"UAH","channel":"web","player":"{tag[32:58]}","vertical":"slots","game":"acme.book-of-stars",'
        f'"round":"r-{stream}-{seq}","outcome":"lost"}}'
    ).encode()


def make_chain(operator, blocks):
    """Blocks of [(stream, count), ...], records of the streams one after the other."""
    out, previous, total, next_seq = [], bytes(32), 0, {}
    for height, parts in enumerate(blocks, 1):
        records, ranges = [], []
        for stream, count in parts:
            first = next_seq.get(stream, 1)
            next_seq[stream] = first + count
            ranges.append(f"{stream}:{first}-{first + count - 1}")
            records += [record(operator, stream, seq) for seq in range(first, first + count)]
        total += len(records)
        sealed = f"2026-10-24T18:01:{height:02}.498Z"
        block_root = root([leaf_hash(r) for r in records])
        head = header(operator, height, previous, len(records), total, block_root, ",".join(ranges), sealed)
        previous = sha256(head)
        out.append((head, records))
    return out


def make():
    a = make_chain(OPERATORS[0], [[(0, 1)], [(0, 7), (3, 2)], [(3, 5)]])
    b = make_chain(OPERATORS[1], [[(255, 64)], [(0, 3), (1, 1), (255, 1)]])
    entries = [a[0], b[0], a[1], b[1], a[2]]
    entry_leaves = [leaf_hash(head) for head, _ in entries]

    def parts(index, leaf, size):
        head, records = entries[index]
        inner = (records[leaf], leaf, path(leaf, [leaf_hash(r) for r in records]), head)
        outer = (index, path(index, entry_leaves[:size]), checkpoint(size, root(entry_leaves[:size])))
        return inner, outer

    def proof(index, leaf, size):
        inner, outer = parts(index, leaf, size)
        return tlog_proof(record_proof(*inner), *outer)

    good = []
    for name, index, leaf, size in [
        ("the only record of the only block", 0, 0, 1),
        ("the first of 64, log of 2", 1, 0, 2),
        ("the last of 64, log of 5", 1, 63, 5),
        ("the middle of 9, second stream begins after it", 2, 6, 3),
        ("the last of 9, alone on the right", 2, 8, 5),
        ("the last entry of a ragged log", 4, 4, 5),
    ]:
        head, records = entries[index]
        good.append(
            {
                "name": name,
                "file": proof(index, leaf, size),
                "record": records[leaf].decode(),
                "record_leaf_hash": b64(leaf_hash(records[leaf])),
                "leaf": leaf,
                "header": head.decode(),
                "block_hash": b64(sha256(head)),
                "log_leaf_hash": b64(leaf_hash(head)),
                "index": index,
                "size": size,
                "log_root": b64(root(entry_leaves[:size])),
            }
        )
    signers = ((ORIGIN, SEED), ("witness.example", OTHER_SEED))
    inner, outer = parts(2, 6, 5)
    witnessed = checkpoint(5, root(entry_leaves), signers)
    good.append({**good[3], "name": "also signed by a key that the reader does not know", "size": 5,
                 "log_root": b64(root(entry_leaves)), "file": tlog_proof(record_proof(*inner), *outer[:2], witnessed)})
    extended = checkpoint(5, root(entry_leaves), extra="an extension line\n")
    good.append({**good[-1], "name": "the checkpoint has an extension line",
                 "file": tlog_proof(record_proof(*inner), *outer[:2], extended)})

    base = proof(2, 6, 5)
    record_bytes, leaf, nodes, head = inner
    index, log_nodes, signed = outer
    bad = []

    def refuse(reason, name, file):
        assert file != base, name
        bad.append({"reason": reason, "name": name, "file": file})

    def with_inner(record=record_bytes, leaf=leaf, nodes=nodes, head=head):
        return tlog_proof(record_proof(record, leaf, nodes, head), *outer)

    def with_extra(extra):
        return tlog_proof(extra, *outer)

    def with_outer(index=index, nodes=log_nodes, signed=signed):
        return tlog_proof(record_proof(*inner), index, nodes, signed)

    extra = record_proof(*inner)
    refuse("form", "empty file", "")
    refuse("form", "another version", base.replace("tlog-proof@v1", "tlog-proof@v2"))
    refuse("form", "lines end in CR LF", base.replace("\n", "\r\n"))
    refuse("form", "index with a leading zero", base.replace("\nindex 2\n", "\nindex 02\n"))
    refuse("form", "index with a sign", base.replace("\nindex 2\n", "\nindex +2\n"))
    refuse("form", "index beyond 64 bits", base.replace("\nindex 2\n", f"\nindex {2**64 + 2}\n"))
    refuse("form", "no index", base.replace("\nindex 2\n", "\n"))
    node = b64(log_nodes[0])
    refuse("form", "a path node without padding", base.replace(node, node.rstrip("=")))
    loose = node[:-2] + chr(ord(node[-2]) + 1) + "="
    assert base64.b64decode(loose) == log_nodes[0]
    refuse("form", "a path node with stray bits in its last character", base.replace(node, loose))
    refuse("form", "a path node of 31 bytes", base.replace(node, b64(log_nodes[0][:31])))
    refuse("form", "65 path nodes", with_outer(nodes=[log_nodes[0]] * 65))
    refuse("form", "nothing after the path", base[: base.index("\n\n") + 1])
    refuse("form", "extra in the URL alphabet or unpadded", base.replace(b64(extra), b64(extra + b"\n").rstrip("=") + "-"))
    refuse("form", "extra of another version", with_extra(extra.replace(b"dsom.proof.v1", b"dsom.proof.v2")))
    refuse("form", "leaf with a leading zero", with_extra(extra.replace(b"\nleaf 6\n", b"\nleaf 06\n")))
    refuse("form", "extra without a record", with_extra(extra.replace(b"\nrecord ", b"\nrecords ")))
    refuse("form", "extra ends before the header", with_extra(extra[: extra.index(b"\n\n") + 1]))
    refuse("no-record", "a tlog-proof without extra", tlog_proof(None, *outer))
    refuse("checkpoint", "no checkpoint", with_outer(signed=""))
    refuse("checkpoint", "signed by another key of the same name",
           with_outer(signed=checkpoint(5, root(entry_leaves), ((ORIGIN, OTHER_SEED),))))
    refuse("checkpoint", "signed only by a key of another name",
           with_outer(signed=checkpoint(5, root(entry_leaves), (("witness.example", SEED),))))
    refuse("checkpoint", "of another log, signed with our key",
           with_outer(signed=checkpoint(5, root(entry_leaves), origin="log.example/other")))
    refuse("checkpoint", "its size was changed", base.replace(f"{ORIGIN}\n5\n", f"{ORIGIN}\n6\n"))
    refuse("checkpoint", "its size has a leading zero",
           with_outer(signed=note(f"{ORIGIN}\n05\n{b64(root(entry_leaves))}\n", (ORIGIN, SEED))))
    refuse("checkpoint", "the signature was cut", with_outer(signed=signed[:-6] + "\n"))
    refuse("checkpoint", "something follows it", base + "\n")
    refuse("header", "no header", with_inner(head=b""))
    refuse("header", "header with a line too many", with_inner(head=head + b"note 1\n"))
    refuse("header", "header without its last LF", with_inner(head=head[:-1]))
    refuse("header", "streams that do not add up to records", with_inner(head=head.replace(b"records 9", b"records 8")))
    refuse("header", "streams out of order", with_inner(head=head.replace(b"0:2-8,3:1-2", b"3:1-2,0:2-8")))
    refuse("header", "height 1 with a previous hash",
           with_inner(head=head.replace(b"height 2", b"height 1").replace(b"total 10", b"total 9")))
    refuse("header-place", "a header changed in one digit", with_inner(head=head.replace(b".498Z", b".499Z")))
    refuse("header-place", "another index", with_outer(index=3))
    refuse("header-place", "an index beyond the log", with_outer(index=5))
    refuse("header-place", "a log path node changed", with_outer(nodes=[bytes(32)] + log_nodes[1:]))
    refuse("header-place", "a log path node missing", with_outer(nodes=log_nodes[:-1]))
    refuse("header-place", "a log path node too many", with_outer(nodes=log_nodes + [bytes(32)]))
    refuse("header-place", "log path nodes swapped", with_outer(nodes=[log_nodes[1], log_nodes[0]] + log_nodes[2:]))
    refuse("header-place", "the checkpoint of a smaller log",
           with_outer(signed=checkpoint(3, root(entry_leaves[:3]))))
    refuse("record-place", "an amount changed", with_inner(record=record_bytes.replace(b'"amount":1', b'"amount":2')))
    refuse("record-place", "a line end kept with the record", with_inner(record=record_bytes + b"\n"))
    refuse("record-place", "another leaf", with_inner(leaf=7))
    refuse("record-place", "a leaf beyond the block", with_inner(leaf=9))
    refuse("record-place", "a block path node changed", with_inner(nodes=nodes[:-1] + [bytes(32)]))
    refuse("record-place", "a block path node missing", with_inner(nodes=nodes[1:]))
    refuse("record-place", "a block path node too many", with_inner(nodes=nodes + [bytes(32)]))
    refuse("record-place", "a node of the tree passed off as a record",
           with_inner(record=b"\x01" + leaf_hash(record_bytes) + nodes[0], leaf=3, nodes=nodes[1:]))
    return {
        "about": "Proof files (RECORD, 'Proof of a record'), made by make_proofs.py. Reasons of the bad ones: form = not the one "
        "text a proof has; no-record = no extra line; checkpoint = not a checkpoint signed by this log; header = not a block "
        "header; header-place = the header is not in the log there; record-place = the record is not in the block there.",
        "origin": ORIGIN,
        "log_vkey": vkey(ORIGIN, SEED),
        "log_key_not_secret": skey(ORIGIN, SEED),
        "good": good,
        "bad": bad,
    }


def main():
    target = pathlib.Path(__file__).with_name("proofs.json")
    text = json.dumps(make(), indent=1, ensure_ascii=True) + "\n"
    if "--check" in sys.argv[1:]:
        if target.read_text() != text:
            sys.exit(f"{target} is not what this script makes")
        return
    target.write_text(text)


if __name__ == "__main__":
    main()
