#!/bin/sh
# Checks the readers and writers of checkpoints against the programs whose
# formats they are: safetensors from PyPI, and PyTorch.
#
#   conformance/torch/run.sh
#
# Wants Go, python3 with venv, and a Python that has torch: TORCH_PYTHON, or
# else Debian's, whose package python3-torch is installed if it is missing.
# The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
: >"$log"

CGO_ENABLED=0 go build -o "$work/torch" ./conformance/torch

# check NAME COMMAND… keeps the output of a script; one that dies has failed.
check() {
	name=$1
	shift
	"$@" >"$work/out" 2>&1 || echo "FAIL $name ended early" >>"$work/out"
	tee -a "$log" <"$work/out"
}

if python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q --disable-pip-version-check \
	numpy==2.4.6 safetensors==0.8.0; then
	check safetensors "$work/venv/bin/python" conformance/torch/st.py "$work/torch" "$work"
else
	echo "FAIL safetensors could not be installed" | tee -a "$log"
fi

torch_python=${TORCH_PYTHON:-/usr/bin/python3}
if ! "$torch_python" -c 'import torch' 2>/dev/null && [ -z "${TORCH_PYTHON:-}" ]; then
	apt-get install -y --no-install-recommends python3-torch >/dev/null || true
fi
if "$torch_python" -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null; then
	check torch "$torch_python" conformance/torch/pt.py "$work/torch" "$work"
else
	echo "FAIL PyTorch could not be installed" | tee -a "$log"
fi

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
