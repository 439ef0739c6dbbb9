#!/bin/sh
# Compares our training step with PyTorch's on this machine, by turns.
#
#   bench/run.sh [step|moe] [--threads 1,2] [--rounds N] [--steps N] [--quick]
#
# Peers: the Pythons in TORCH_PYTHONS, separated by spaces, else python3 if it
# has torch. Debian's (package python3-torch) wants libopenblas0 too, without
# which it computes 20 times slower than it can. ADIT names a program to measure
# instead of building one. Nothing else should run meanwhile.
#
# The last line is JSON: for each number of threads both medians in tokens/s,
# the most memory each used, the peer's fastest setting, and the ratio.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

strays=$(env | grep -E '^(OPENBLAS|OMP|MKL|GOMP|KMP|ATEN|TORCH_NUM|DNNL|ONEDNN)[A-Z0-9_]*=' | cut -d= -f1 || true)
for name in $strays; do
	echo "unset $name, which would change how a peer computes"
	unset "$name"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
adit=${ADIT:-}
if [ -z "$adit" ]; then
	(cd "$here/.." && CGO_ENABLED=0 go build -o "$work/adit" ./cmd/adit)
	adit=$work/adit
fi

peers=
for python in ${TORCH_PYTHONS:-python3 /usr/bin/python3}; do
	python=$(command -v "$python") || continue
	case " $peers " in *" --peer $python "*) continue ;; esac
	if "$python" -c 'import torch' 2>/dev/null; then
		peers="$peers --peer $python"
	else
		echo "$python has no torch"
	fi
done
if [ -z "$peers" ]; then
	echo "no Python here has torch: name one in TORCH_PYTHONS" >&2
	exit 1
fi
nproc=$(getconf _NPROCESSORS_ONLN)
echo "$nproc processors, load $(cut -d' ' -f1-3 /proc/loadavg 2>/dev/null || uptime)"
# shellcheck disable=SC2086 # a list of arguments without spaces in them
python3 "$here/compare.py" --adit "$adit" $peers "$@"
