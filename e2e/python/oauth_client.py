"""A client of others: gets a token with Authlib and posts a batch with requests. Prints what ingest answered, as JSON.

usage: oauth_client.py TOKEN_ENDPOINT ISSUER CLIENT_ID KID KEY_PEM INGEST
"""

import json
import sys
import time
import uuid
from datetime import datetime, timezone

import requests
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import OKPKey

endpoint, issuer, client_id, kid, key_pem, ingest = sys.argv[1:]
with open(key_pem, "rb") as file:
    key = OKPKey.import_key(file.read())

session = OAuth2Session(client_id, key, token_endpoint_auth_method="private_key_jwt")
claims = {"aud": issuer}
session.register_client_auth_method(PrivateKeyJWT(endpoint, claims=claims, alg="EdDSA", headers={"kid": kid}))
token = session.fetch_token(endpoint, grant_type="client_credentials")

record = {
    "seq": 1,
    "id": str(uuid.uuid4()),
    "type": "wager",
    "at": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "amount": 100,
    "currency": "UAH",
    "channel": "web",
    "vertical": "betting",
    "game": "football",
    "round": "1",
}
for _ in range(10):
    answer = requests.post(
        f"{ingest}/v1/streams/0/batches",
        data=json.dumps(record),
        headers={"Authorization": f"Bearer {token['access_token']}", "Content-Type": "application/json"},
        timeout=20,
    )
    if answer.status_code != 503:
        break
    time.sleep(float(answer.headers.get("Retry-After", "1")))
print(json.dumps({"status": answer.status_code, "body": answer.json(), "scope": token["scope"]}))
