#!/bin/sh
# Checks the local model hub with the client that it is made for: the Python
# package huggingface_hub, pinned. Needs Go, Python 3.10 or later and a package
# index. The last line is "N passed, N failed".
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
"$work/venv/bin/pip" install --quiet --disable-pip-version-check huggingface_hub==2.4.0
(cd "$here" && CGO_ENABLED=0 go build -o "$work/hub" .)

"$work/hub" serve "$work/data" >"$work/url" &
server=$!
tries=0
until [ -s "$work/url" ]; do
	tries=$((tries + 1))
	if [ "$tries" -gt 100 ] || ! kill -0 "$server" 2>/dev/null; then
		echo "the hub does not start" >&2
		exit 1
	fi
	sleep 0.1
done

# Xet is a road of its own, with a server of its own. Everything else that
# could reach past our hub is pointed at it or turned off.
HF_ENDPOINT=$(cat "$work/url") HF_HOME="$work/home" HF_HUB_DISABLE_XET=1 \
	HF_HUB_DISABLE_TELEMETRY=1 HF_HUB_DISABLE_PROGRESS_BARS=1 HF_HUB_DISABLE_IMPLICIT_TOKEN=1 \
	"$work/venv/bin/python" "$here/check.py" "$work/hub" "$work"
