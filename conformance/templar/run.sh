#!/bin/sh
# Checks Templar's objects and arithmetic against PyTorch: torch.load of what ours
# writes, ours of what torch.save writes, in all the ways in which it may; damaged
# files; what a window does to a pseudo-gradient and to slices, in plain PyTorch; and
# a tiny Llama of transformers beside our engine.
#
#   conformance/templar/run.sh
#
# Wants Go, python3 with venv, and Debian's package python3-torch, which is
# installed if it is missing: files are checked with that as well, as the old PyTorch
# that it is. The new one is what PyPI has, 3.5 GB to fetch and 5.6 GB on the disk of
# TMPDIR, unless TRANSFORMERS_PYTHON names a Python that has these packages already.
# The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

# Strays would change how PyTorch computes.
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE OMP_NUM_THREADS MKL_NUM_THREADS || true

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
log=$work/log
: >"$log"

CGO_ENABLED=0 go build -o "$work/templar" ./conformance/templar

# check PYTHON SCRIPT keeps the output of a script; one that dies has failed.
check() {
	mkdir -p "$work/files"
	PYTHONDONTWRITEBYTECODE=1 "$1" -W ignore "conformance/templar/$2" "$work/templar" "$work/files" >"$work/out" 2>&1 ||
		echo "FAIL $2 ended early" >>"$work/out"
	tee -a "$log" <"$work/out"
	rm -rf "$work/files"
}

if ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
	apt-get install -y --no-install-recommends python3-torch >/dev/null || true
fi
if /usr/bin/python3 -c 'import torch; print("PyTorch", torch.__version__)' 2>/dev/null; then
	check /usr/bin/python3 objects.py
else
	echo "FAIL /usr/bin/python3 has no PyTorch" | tee -a "$log"
fi

python=${TRANSFORMERS_PYTHON:-}
if [ -z "$python" ]; then
	python=$work/venv/bin/python
	{ python3 -m venv "$work/venv" && "$python" -m pip install -q --disable-pip-version-check --no-cache-dir \
		torch==2.15.0 transformers==5.23.0 safetensors==0.8.0 numpy==2.4.6; } || true
fi
if "$python" -c 'import torch, transformers; print("transformers", transformers.__version__, "PyTorch", torch.__version__)'; then
	for script in objects.py maths.py toy.py; do
		check "$python" "$script"
	done
else
	echo "FAIL transformers could not be installed" | tee -a "$log"
fi

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
