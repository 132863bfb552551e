"""Reads built manifests on standard input, holds each against its schema, prints them as JSON.

Kubernetes' own kinds have their schemas in kubernetes-validate; the others in the folder given as the argument, one file a kind. Exit
code 1 and a line for each finding on standard error when a document has no schema or breaks it.
"""

import json
import pathlib
import sys

import jsonschema
import kubernetes_validate
import yaml

VERSION = "1.37"


def finding(document, schemas):
    kind, name = document.get("kind", "?"), document.get("metadata", {}).get("name", "?")
    own = schemas / f"{kind.lower()}.json"
    try:
        if own.exists():
            jsonschema.validate(document, json.loads(own.read_text()), jsonschema.Draft202012Validator)
        else:
            kubernetes_validate.validate(document, VERSION, strict=True)
    except (jsonschema.ValidationError, kubernetes_validate.ValidationError) as error:
        return f"{kind} {name}: {'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return f"{kind} {name}: {error.message}"
    return None


def main():
    schemas = pathlib.Path(sys.argv[1])
    documents = [document for document in yaml.safe_load_all(sys.stdin) if document]
    findings = [found for document in documents if (found := finding(document, schemas))]
    print("\n".join(findings), file=sys.stderr)
    json.dump(documents, sys.stdout)
    sys.exit(1 if findings else 0)


main()
