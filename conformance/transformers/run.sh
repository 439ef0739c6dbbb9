#!/bin/sh
# Checks model directories against transformers, which they are made for: what
# ours computes with a directory that transformers wrote, and what transformers
# makes of one that ours wrote, for tiny models of every architecture.
#
#   conformance/transformers/run.sh
#
# Wants Go and python3 with venv. It installs PyTorch, whose only build on PyPI
# for this kind of machine brings the libraries for graphics cards with it: 3.5
# GB to fetch and 5.6 GB on the disk of TMPDIR. TRANSFORMERS_PYTHON names a
# Python that has these packages already.
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

CGO_ENABLED=0 go build -o "$work/transformers" ./conformance/transformers

python=${TRANSFORMERS_PYTHON:-}
if [ -z "$python" ]; then
	python=$work/venv/bin/python
	{ python3 -m venv "$work/venv" && "$python" -m pip install -q --disable-pip-version-check --no-cache-dir \
		torch==2.15.0 transformers==5.23.0 safetensors==0.8.0 numpy==2.4.6; } || true
fi
if "$python" -c 'import torch, transformers; print("transformers", transformers.__version__, "PyTorch", torch.__version__)'; then
	mkdir "$work/models"
	PYTHONDONTWRITEBYTECODE=1 "$python" conformance/transformers/check.py "$work/transformers" "$work/models" \
		>"$work/out" 2>&1 || echo "FAIL check.py ended early" >>"$work/out"
	tee -a "$log" <"$work/out"
else
	echo "FAIL transformers could not be installed" | tee -a "$log"
fi

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
