"""Readers of others: dnspython for the zone, joserfc for the signature. Prints the zone's serial and what it answers for names, as JSON.

usage: site_feeds.py LICENSING NAME...
"""

import datetime
import json
import sys

import dns.name
import dns.rdatatype
import dns.zone
import requests
from joserfc.errors import BadSignatureError, UnsupportedHeaderError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry, deserialize_compact
from joserfc.registry import HeaderParameter

licensing, *names = sys.argv[1:]
keys = KeySet.import_key_set(requests.get(f"{licensing}/jwks.json", timeout=10).json())

registry = JWSRegistry(algorithms=["EdDSA"])
# The library stops at tokens; a feed is longer.
registry.max_payload_length = 1 << 26


def signed(path):
    """The body of a feed, its signature checked; one changed byte must be refused."""
    answer = requests.get(f"{licensing}{path}", timeout=10)
    answer.raise_for_status()
    jws = answer.headers["DSOM-Feed-Signature"]
    assert requests.get(f"{licensing}{path}.jws", timeout=10).text == jws, "the signature beside the feed is another"
    deserialize_compact(jws, keys, payload=answer.content, registry=registry)
    try:
        deserialize_compact(jws, keys, payload=answer.content[:-1] + b"x", registry=registry)
    except BadSignatureError:
        return answer
    raise AssertionError(f"a changed {path} is not refused")


def of_the_past(path):
    """A reader of the feed of now must refuse a feed of a moment, though it is signed with the same key; who asked for it takes it."""
    moment = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    answer = requests.get(f"{licensing}{path}", params={"as_of": moment}, timeout=10)
    answer.raise_for_status()
    jws = answer.headers["DSOM-Feed-Signature"]
    past = JWSRegistry({"as_of": HeaderParameter("the moment", "str")}, ["EdDSA"])
    past.max_payload_length = registry.max_payload_length
    assert deserialize_compact(jws, keys, payload=answer.content, registry=past).headers()["as_of"] == moment
    try:
        deserialize_compact(jws, keys, payload=answer.content, registry=registry)
    except UnsupportedHeaderError:
        return
    raise AssertionError(f"{path} as of a moment is taken for that of now")


for path in ["/v1/sites.txt", "/v1/sites.json", "/v1/sites.rpz"]:
    of_the_past(path)

text = signed("/v1/sites.txt").text
feed = signed("/v1/sites.json").json()
zone = dns.zone.from_text(signed("/v1/sites.rpz").text, relativize=True)
serial = zone.get_soa().serial
assert serial == feed["serial"] and f"# serial {serial}\n" in text
domains = {line for line in text.splitlines() if not line.startswith("#")}
assert domains == {site["domain"] for site in feed["sites"]}


def answer(name):
    """What a resolver with this zone says: the rule of the name, or of a wildcard above it."""
    name = dns.name.from_unicode(name, origin=None)
    for owner in [name] + [dns.name.Name((b"*",) + name.labels[cut:]) for cut in range(1, len(name.labels))]:
        rule = zone.get_rdataset(owner, dns.rdatatype.CNAME)
        if rule is not None:
            return rule[0].target.to_text()
    return None


print(json.dumps({"serial": serial, "domains": len(domains), "answers": {name: answer(name) for name in names}}))
