"""Counts what passes."""

import sys
import time
import traceback


def expect(ok, why="it is not so"):
    if not ok:
        raise AssertionError(why)


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name):
        """Runs a function at once, as one check."""

        def run(function):
            begun = time.monotonic()
            try:
                function()
                self.passed += 1
                print(f"ok   {name} ({time.monotonic() - begun:.1f} s)", flush=True)
            except Exception:
                self.failed += 1
                print("FAIL", name, "\n", traceback.format_exc(limit=-4), flush=True)
            return function

        return run

    def end(self):
        """Prints how it went and returns the exit status."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
