"""What the runs say: recall per kind, false alarms, and whether the bars are passed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from lab2live.synthesis.faults import KINDS

# Bars, from the requirement.
AT_FULL, LOWEST_KIND, AT_HALF, PLACE_RIGHT = 0.95, 0.7, 0.8, 0.95
FALSE_ALARMS_A_DRAW = 16 / 200
# What a charter can leave away, so that a kind that needs it can no longer be seen.
CAN_WITHHOLD = ("snapshot", "expected", "limits", "date_column", "fresh_within_days", "annotators", "label_delay_days",
                "time_column", "critical")  # fmt: skip


@dataclass
class Run:
    """What came of one run."""

    domain: str
    seed: int
    kind: str | None
    strength: str
    blind: bool = False
    source: str = ""
    column: str = ""
    share: float = 0.0
    rows: int = 0
    found: bool = False
    placed: bool = False
    named: list[list[str | None]] = field(default_factory=list)
    others: list[list[str | None]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


def share(runs: Sequence[Run], what: str = "found") -> float:
    return sum(getattr(run, what) for run in runs) / len(runs) if runs else float("nan")


def report(runs: Sequence[Run], strengths: Sequence[str]) -> bool:
    """Print recall per kind, false alarms by check, and the bars; say whether all are passed."""
    seen = [run for run in runs if run.kind and not run.blind]
    by_kind: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in seen:
        by_kind[str(run.kind)][run.strength].append(run)
    lines = []
    for kind, of in by_kind.items():
        known = KINDS[kind]
        gets = [name for name in ("snapshot", "expected") if name in known.needs]
        found = [run for runs_of in of.values() for run in runs_of if run.found]
        lines.append(
            {
                "kind": kind,
                "check": known.checks[0],
                "share": f"{known.full:.1%}",
                **{name: f"{share(of[name]):.2f}" if of[name] else "-" for name in strengths},
                "place": f"{share(found, 'placed'):.2f}" if found else "-",
                "gets": ", ".join(gets),
                "needs": ", ".join(name for name in known.needs if name not in gets),
            }
        )
    if lines:
        print(pd.DataFrame(lines).to_string(index=False))
    blind = [run for run in runs if run.blind]
    if blind:
        print("\nWithout what they need (one seed a domain), these cannot be seen, or only by chance:")
        for kind in dict.fromkeys(run.kind for run in blind):
            of_kind = [run for run in blind if run.kind == kind]
            without = ", ".join(sorted(set(KINDS[str(kind)].needs) & set(CAN_WITHHOLD)))
            print(f"  {kind:22s} without {without:32s} found in {sum(r.found for r in of_kind)} of {len(of_kind)}")
    draws = [run for run in runs if run.kind is None]
    alarms = Counter((check, run.domain, source, column) for run in draws for check, source, column in run.others)
    if draws:
        print(f"\nFalse alarms on {len(draws)} clean draws: {sum(alarms.values())}")
        for place, times in alarms.most_common():
            print(f"  {times:3d}  {'  '.join(map(str, place))}")
    broken = Counter(text for run in runs for text in run.broken)
    if broken:
        print(f"\nChecks that broke: {sum(broken.values())}")
        for text, times in broken.most_common(10):
            print(f"  {times:3d}  {text}")
    print(f"\nOne run of the checks took {pd.Series([run.seconds for run in runs]).mean():.2f} s on average.")
    return bars(by_kind, draws, alarms, strengths)


def bars(
    by_kind: dict[str, dict[str, list[Run]]], draws: Sequence[Run], alarms: Counter[Any], strengths: Sequence[str]
) -> bool:
    """Print the bars of the requirement; those that this run says nothing about are left out."""
    full = [run for of in by_kind.values() for run in of["full"]]
    half = [run for of in by_kind.values() for run in of["half"]]
    outcomes = []
    if full:
        lowest = min(by_kind, key=lambda kind: share(by_kind[kind]["full"]))
        found = [run for run in full if run.found]
        outcomes += [
            (share(full) >= AT_FULL, f"recall at full strength {share(full):.3f}, wanted {AT_FULL}"),
            (
                share(by_kind[lowest]["full"]) >= LOWEST_KIND,
                f"lowest kind at full strength: {lowest} {share(by_kind[lowest]['full']):.2f}, wanted {LOWEST_KIND}",
            ),
            (
                share(found, "placed") >= PLACE_RIGHT,
                f"right source and column among the found {share(found, 'placed'):.3f}, wanted {PLACE_RIGHT}",
            ),
        ]
    if half:
        outcomes.append((share(half) >= AT_HALF, f"recall at half strength {share(half):.3f}, wanted {AT_HALF}"))
    if draws:
        limit = FALSE_ALARMS_A_DRAW * len(draws)
        total = sum(alarms.values())
        outcomes.append((total <= limit, f"false alarms {total} on {len(draws)} clean draws, at most {limit:g}"))
    print()
    for passed, what in outcomes:
        print(f"{'PASS' if passed else 'FAIL'}  {what}")
    return all(passed for passed, _ in outcomes)
