#!/bin/sh
# Checks what is drawn for a window of Templar with numpy, which is what other neurons
# draw with: the places of slices, pages of the data set, the pool of samples and what
# of it a validator looks at. Of numpy the version that upstream pinned at first, and a
# late one. Needs Go, Python 3.11 or 3.12, which both of them run on, and a package
# index. The last line is "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

(cd "$here" && CGO_ENABLED=0 go build -o "$work/draw" .)
for version in 1.26.4 2.4.6; do
	if python3 -m venv "$work/$version" &&
		"$work/$version/bin/pip" install --quiet --disable-pip-version-check numpy=="$version"; then
		"$work/$version/bin/python" "$here/check.py" "$work/draw" || echo "FAIL numpy $version ended early"
	else
		echo "FAIL numpy $version could not be installed"
	fi
done | awk '
	/^[0-9]+ passed, [0-9]+ failed$/ { passed += $1; failed += $3; next }
	/ended early$|could not be installed$/ { failed++ }
	{ print }
	END { printf "%d passed, %d failed\n", passed, failed; exit failed > 0 || passed == 0 }'
