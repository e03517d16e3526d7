"""Can the answers to why, what if, how sure and when not be relied on? All parts, one after the other."""

from __future__ import annotations

import argparse
import sys

import trust_confidence
import trust_failures
import trust_flips
import trust_reasons


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases, seeds and repetitions")
    parser.add_argument("--dice", metavar="PYTHON", help="an interpreter with dice-ml")
    parser.add_argument("--mapie", metavar="PYTHON", help="an interpreter with mapie")
    chosen = parser.parse_args()
    missed = 0
    for part, bars in (
        ("why", lambda: trust_reasons.measure(chosen.quick)),
        ("what if", lambda: trust_flips.measure(chosen.quick, chosen.dice)),
        ("how sure", lambda: trust_confidence.measure(chosen.quick, chosen.mapie)),
        ("when not", lambda: trust_failures.measure(chosen.quick)),
    ):
        for what, number, met, bar in bars():
            missed += not met
            print(f"{'ok  ' if met else 'MISS'}  {part}: {what}: {number:.4g} (bar: {bar})", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
