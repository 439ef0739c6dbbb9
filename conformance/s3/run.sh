#!/bin/sh
# Checks the local network's object store with boto3, in the way in which Templar
# uses it, and our client against an object store that is not ours, versitygw.
#
#   conformance/s3/run.sh
#
# Wants Go and python3 with venv. The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
servers=
cleanup() {
	for pid in $servers; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM
log=$work/log
: >"$log"

# check NAME COMMAND… keeps the output of a program; one that dies has failed.
check() {
	name=$1
	shift
	"$@" >"$work/out" 2>&1 || echo "FAIL $name did not end well" >>"$work/out"
	tee -a "$log" <"$work/out"
}

# await NAME COMMAND… waits for a server.
await() {
	name=$1
	shift
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		if [ "$tries" -gt 150 ]; then
			echo "FAIL $name does not start" | tee -a "$log"
			return 1
		fi
		sleep 0.1
	done
}

CGO_ENABLED=0 go build -o "$work/s3" ./conformance/s3

# The newest boto3, which adds checksums to what it sends, and the last one that did
# not, as the networks had it for most of their time.
for version in 1.44.5 1.35.99; do
	if python3 -m venv "$work/venv-$version" &&
		"$work/venv-$version/bin/pip" install -q --disable-pip-version-check "boto3==$version"; then
		"$work/s3" serve "$work/data-$version" >"$work/url-$version" &
		servers="$servers $!"
		if await "the local store" test -s "$work/url-$version"; then
			check "boto3 $version" "$work/venv-$version/bin/python" conformance/s3/check.py \
				"$work/s3" "$work/files-$version" "$(cat "$work/url-$version")"
		fi
	else
		echo "FAIL boto3 $version could not be installed" | tee -a "$log"
	fi
done

if GOBIN="$work" GOFLAGS=-mod=mod go install github.com/versity/versitygw/cmd/versitygw@v1.8.0; then
	mkdir "$work/objects" "$work/metadata" "$work/iam"
	port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	"$work/versitygw" --access rootroot00000000 --secret rootsecret --port "127.0.0.1:$port" --quiet \
		--iam-dir "$work/iam" posix --sidecar "$work/metadata" "$work/objects" >"$work/versitygw.log" 2>&1 &
	servers="$servers $!"
	if await versitygw python3 -c "import socket; socket.create_connection(('127.0.0.1', $port))" 2>/dev/null; then
		S3_ENDPOINT="http://127.0.0.1:$port" S3_ACCESS_KEY=rootroot00000000 S3_SECRET_KEY=rootsecret \
			go test -count=1 -v -run Foreign ./conformance/s3 >"$work/foreign" 2>&1 ||
			echo "FAIL versitygw did not end well" >>"$work/foreign"
		# Each of its tests is a check, but for those that only hold others.
		sed -e '/^=== /d' -e 's/^ *--- \(PASS\|FAIL\|SKIP\): \(.*\) (.*/\1 versitygw \2/' "$work/foreign" |
			grep -v -e '^PASS$' -e '^PASS versitygw Test[A-Za-z]*$' | tee -a "$log"
	fi
else
	echo "FAIL versitygw could not be installed" | tee -a "$log"
fi

passed=$(grep -c '^PASS ' "$log" || true)
failed=$(grep -c -e '^FAIL' -e '^SKIP ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
