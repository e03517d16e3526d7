"""The business case (B1-B3): what the charter promises, and whether anybody could later check it."""

from __future__ import annotations

import pandas as pd

from lab2live.charter.review import BUSINESS
from lab2live.charter.schema import Answer, Charter
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import minus


def promises(charter: Charter) -> pd.DataFrame:
    """Show the three business questions with answer, measure, current value and target."""
    lines = []
    for name, (requirement, question) in BUSINESS.items():
        answer: Answer = getattr(charter.business, name)
        lines.append(
            {
                "": requirement,
                "question": question,
                "answer": answer.answer or "open",
                "measured by": (answer.measure or "open") + (f" ({answer.unit})" if answer.unit else ""),
                "now": answer.current,
                "target": answer.target,
            }
        )
    return pd.DataFrame(lines)


def completeness(answer: Answer) -> Evidence:
    """Count how much of a promise is stated.

    The value is the number of parts stated out of answer, measure, current and target; 0 if the target is where things
    stand already; `None` if nothing is stated at all: an open question is no evidence against the project.
    """
    parts = {"answer": answer.answer, "measure": answer.measure, "current": answer.current, "target": answer.target}
    gaps = [name for name, value in parts.items() if value is None]
    if len(gaps) == len(parts):
        return Evidence(None, "An open question: the charter does not answer it.")
    if answer.current is not None and answer.current == answer.target:
        return Evidence(
            0, f"The target is where things stand already ({minus(f'{answer.target:g}')}): nothing would be gained."
        )
    if gaps:
        return Evidence(len(parts) - len(gaps), f"Not stated yet: {', '.join(gaps)}.")
    unit = f" {answer.unit}" if answer.unit else ""
    return Evidence(
        len(parts), f"{answer.measure}: from {minus(f'{answer.current:g}')} to {minus(f'{answer.target:g}')}{unit}."
    )
