#!/bin/sh
# Checks the owner's phase service with a client in Python that asks as upstream's
# does: with the package requests, pinned, its retries and its reading of the
# answers. The service runs over a local chain, under each generation's table, and
# whatever it says is computed again from the height.
#
#   conformance/owner/run.sh
#
# Wants Go and python3 with venv. The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

CGO_ENABLED=0 go build -o "$work/adit" ./cmd/adit
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --no-compile --disable-pip-version-check requests==2.34.2 PyYAML==6.0.3
"$work/venv/bin/python" conformance/owner/owner.py "$work/adit" "$work"
