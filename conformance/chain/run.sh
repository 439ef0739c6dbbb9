#!/bin/sh
# Checks the local chain node with the client that explorers and wallets are
# built on: polkadot.js, the npm package @polkadot/api, pinned. Needs Go, Node 20
# or later and a package registry. The last line is "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
server=
cleanup() {
	if [ -n "$server" ]; then
		kill "$server" 2>/dev/null || true
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

(cd "$work" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund --save-exact @polkadot/api@16.5.6)
cp "$here/check.mjs" "$work"

# A binary of its own, so that the process that is killed at the end is the node.
(cd "$here/../.." && CGO_ENABLED=0 go build -o "$work/adit" ./cmd/adit)
"$work/adit" chain serve --dir "$work/chain" --port 0 --block-time 250ms --json >"$work/events" 2>"$work/errors" &
server=$!
tries=0
until url=$(grep -o 'ws://[0-9.:]*' "$work/events" "$work/errors" 2>/dev/null | head -n 1 | sed 's/^.*ws:/ws:/') && [ -n "$url" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
		cat "$work/events" "$work/errors" >&2
		echo "the node does not start" >&2
		exit 1
	fi
	sleep 0.1
done

cd "$work"
node check.mjs "$url"
