#!/bin/sh
# Checks the local chain node with the Python packages that miners and validators
# use: the SDK bittensor, and the command line btcli, pinned. Needs Go, Python
# 3.10 or later and a package index. The last line is "N passed, N failed".
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

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check \
	bittensor==10.5.0 bittensor-wallet==4.1.0 bittensor-cli==9.23.2 \
	bittensor-drand==2.0.0 async-substrate-interface==2.2.1 cyscale==0.5.0
(cd "$here/../.." && CGO_ENABLED=0 go build -o "$work/adit" ./cmd/adit)

# The SDK locks for quicknet alone, whose pulses to come are not known here.
"$work/adit" chain serve --dir "$work/chain" --port 0 --block-time 250ms --tempo 20 --beacon none --json \
	>"$work/events" 2>"$work/errors" &
server=$!
tries=0
until url=$(grep -o 'ws://[0-9.:]*' "$work/events" | head -n 1) && [ -n "$url" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
		cat "$work/events" "$work/errors" >&2
		echo "the node does not start" >&2
		exit 1
	fi
	sleep 0.1
done

# Both programs keep settings and caches at home.
export HOME="$work/home" PYTHONDONTWRITEBYTECODE=1 NO_CACHE=1
mkdir "$HOME"
cd "$work"
PATH="$work/venv/bin:$PATH" python "$here/check.py" "$url" "$work/wallets"
