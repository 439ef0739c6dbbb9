"""Prints the medians of run.sh's times and their ratio.

usage: report.py LOG, whose lines are NAME SECONDS CHECKSUM …
"""
import statistics
import sys

times, checks = {}, set()
with open(sys.argv[1]) as f:
    for line in f:
        name, seconds, check = line.split()[:3]
        times.setdefault(name, []).append(float(seconds))
        checks.add(check)
medians = {name: statistics.median(t) for name, t in times.items()}
for name, m in medians.items():
    print(f"{name:16} median {m:.3f} s of {len(times[name])}, from {min(times[name]):.3f} to {max(times[name]):.3f}: {2**31 / m / 1e9:.2f} GB/s")
if len(checks) != 1:
    sys.exit(f"the checksums differ: {sorted(checks)}")
print("checksum", *checks, "on both sides")
best = min((m, name) for name, m in medians.items() if name.startswith("peer"))
for name, m in medians.items():
    if name.startswith("ours"):
        print(f"ratio {best[0] / m:.2f}x: {name} against {best[1]}, the peer's fastest")
