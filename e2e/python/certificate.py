"""A certificate of the published checks, as a JOSE library of others reads it. Prints its claims, as JSON.

usage: certificate.py JWKS CERTIFICATE
"""

import json
import sys

from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet
from joserfc.jws import deserialize_compact

jwks, certificate = (open(path).read() for path in sys.argv[1:])
keys = KeySet.import_key_set(json.loads(jwks))
good = deserialize_compact(certificate.strip(), keys, algorithms=["EdDSA"])
assert good.headers()["typ"] == "dsom-conformance+jwt"
head, payload, signature = certificate.strip().split(".")
changed = payload[:-8] + ("A" if payload[-8] != "A" else "B") + payload[-7:]
try:
    deserialize_compact(f"{head}.{changed}.{signature}", keys, algorithms=["EdDSA"])
except BadSignatureError:
    print(good.payload.decode())
else:
    sys.exit("a changed certificate is not refused")
