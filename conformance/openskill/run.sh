#!/bin/sh
# Checks the ratings against openskill's, the Python package that Templar rates
# its miners with: some hundreds of random matches of 2 to 40 players, with ties,
# zeros and punishments, where each begins with what the last one left. Needs Go,
# Python 3.10 or later and a package index. The last line is "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openskill==6.1.3
(cd "$here" && CGO_ENABLED=0 go build -o "$work/openskill" .)
"$work/venv/bin/python" "$here/check.py" "$work/openskill"
