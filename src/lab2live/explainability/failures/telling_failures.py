"""Says in which kinds of cases the model fails: as tables, in sentences, and for the gate."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.explainability.failures.failing import FEWEST, Failure, Scored
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import agree, amount, number

WORSE = {"binary": "wrong", "multiclass": "wrong", "regression": "off by"}
TILTED = {"binary": "came", "multiclass": "came", "regression": "outcome"}


def table(
    found: Sequence[Failure],
    seen: Scored,
    what: dict[str, str] = WORSE,
    against: str = "expected",
    charter: Charter | None = None,
) -> pd.DataFrame:
    """Show the kinds of cases that were put to the test: of those that looked worse, the ones that are.

    Parameters
    ----------
    what
        Names the column of what happened, by kind of problem: `WORSE` or `TILTED`.
    against
        Names the column of what it is held against.
    charter
        Names the currency; without it no money is shown.
    """
    rows = []
    for one in found:
        # what looked worse in the half that was searched may be better in the half that tests it
        if what is not TILTED and not one.happened > one.expected:
            continue
        row = {
            "cases in which": one.slice.text + (f" (or: {'; '.join(one.slice.also)})" if one.slice.also else ""),
            "cases": one.cases,
            what[
                seen.sides.problem
            ]: f"{_said(one.happened, seen)} ({_said(one.low, seen)} to {_said(one.high, seen)})",
            against: _said(one.expected, seen),
            "confirmed": "yes" if one.slice.confirmed else "no, may be chance",
        }
        if charter is not None and one.lost is not None:
            row[f"lost per case ({charter.business.value.currency})"] = number(round(one.lost, 2))
        rows.append(row)
    return pd.DataFrame(rows)


def sentences(
    found: Sequence[Failure], seen: Scored, what: dict[str, str] = WORSE, against: str = "expected"
) -> list[str]:
    """Say what was confirmed, one sentence for each kind of cases."""
    says = what[seen.sides.problem]
    return [
        f"Where {one.slice.text}: {says} {_said(one.happened, seen)}, {against} {_said(one.expected, seen)} "
        f"({amount(one.cases, 'case')})."
        for one in found
        if one.slice.confirmed
    ]


def evidence(found: Sequence[Failure], seen: Scored, charter: Charter) -> Evidence:
    """Give the share of cases in kinds that surely fail."""
    share, message = _judged(found, seen, charter.business.value.currency)
    shown = table(found, seen, charter=charter)
    return Evidence(share, message, shown if len(shown) else None, data={"failures": sentences(found, seen)})


def _judged(found: Sequence[Failure], seen: Scored, currency: str) -> tuple[float | None, str]:
    if len(seen.rows) < FEWEST:
        return (None, f"Fewer than {FEWEST} answers: too few to find in one half and to confirm in the other.")
    sure = [one for one in found if one.slice.confirmed]
    if not sure:
        return (
            0.0,
            "No kind of cases was found in which the model does surely worse than it says "
            f"({amount(len(seen.rows), 'answer')}, searched in one half, tested in the other).",
        )
    worst, more = sure[0], len(sure) - 1
    if seen.sides.problem == "regression":
        is_so = f"off by {_said(worst.happened, seen)} where {_said(worst.expected, seen)} is usual"
    else:
        is_so = f"wrong in {_said(worst.happened, seen)} where {_said(worst.expected, seen)} were to be expected"
    money = "" if worst.lost is None else f" That loses {number(round(worst.lost, 2))} {currency} more per case."
    also = f" {amount(more, 'more kind')} of cases {agree(more, 'is', 'are')} confirmed." if more else ""
    share = sum(one.cases for one in sure) / (len(seen.rows) / 2)
    return (share, f"Where {worst.slice.text}, the model is {is_so} ({amount(worst.cases, 'case')}).{money}{also}")


def _said(value: float, seen: Scored) -> str:
    return number(value) if seen.sides.problem == "regression" else f"{value:.0%}"
