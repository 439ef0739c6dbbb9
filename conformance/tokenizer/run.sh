#!/bin/sh
# Checks the tokenizer against Hugging Face's, both ways: the library reads our
# tokenizer.json, and we read one that the library has trained and written, and
# small ones of every kind that today's models have. Needs Go, Python 3 and the
# network (once, for the library).
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check "tokenizers==${TOKENIZERS_VERSION:-0.21.1}"

mkdir "$work/ours" "$work/theirs"
go run . "$work/ours"
"$work/venv/bin/python" check.py train "$work/ours"
go run . -load "$work/ours/theirs.json" "$work/theirs"
cp "$work/ours/theirs.json" "$work/theirs/tokenizer.json"
"$work/venv/bin/python" families.py make "$work/families"
go run . -families "$work/families"
first=$("$work/venv/bin/python" check.py compare "$work/ours" "$work/theirs") && status=0 || status=$?
second=$("$work/venv/bin/python" families.py compare "$work/families") || status=$?
printf '%s\n%s\n' "$first" "$second" | awk '
	/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; next }
	{ print }
	END { printf "%d passed, %d failed\n", passed, failed }'
exit $status
