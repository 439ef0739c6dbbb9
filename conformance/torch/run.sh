#!/bin/sh
# Checks the readers and writers of checkpoints against the programs whose
# formats they are: safetensors from PyPI, and PyTorch.
#
#   conformance/torch/run.sh
#
# Wants Go, python3 with venv, and Debian's package python3-torch, which is
# installed if it is missing. If TORCH_PYTHON names another Python that has
# torch, a newer one, the checks run with that as well.
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

if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
	apt-get install -y --no-install-recommends python3-torch >/dev/null || true
fi
for torch_python in /usr/bin/python3 ${TORCH_PYTHON:+"$TORCH_PYTHON"}; do
	if "$torch_python" -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null; then
		check torch "$torch_python" -W ignore conformance/torch/pt.py "$work/torch" "$work"
	else
		echo "FAIL $torch_python has no PyTorch" | tee -a "$log"
	fi
done

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
