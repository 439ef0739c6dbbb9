#!/bin/sh
# Checks the checkpoint server with a client as upstream's is, over Python's requests,
# and the client with a server as upstream's is, over FastAPI; all pinned. Needs Go,
# Python 3.10 or later and a package index. The last line is "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.34.2 py-sr25519-bindings==0.2.4 \
	fastapi==0.165.0 uvicorn==0.54.0 python-multipart==0.0.34
(cd "$here" && CGO_ENABLED=0 go build -o "$work/connito" .)
"$work/venv/bin/python" "$here/check.py" "$work/connito" "$work"
