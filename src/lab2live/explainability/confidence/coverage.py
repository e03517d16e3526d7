"""Is the promise kept? For all held-back cases, for each class or predicted level, and for each group of people."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import wilson
from lab2live.explainability.confidence.conformal import Conformal
from lab2live.pipeline.evidence import Evidence
from lab2live.poc.fairness import bands
from lab2live.reporting.formatting import agree, amount, number

# A group of fewer cases cannot be judged.
FEWEST = 30
# Of all groups together, no more than one in twenty may be called broken by chance.
ERROR = 0.05
EVERY = "all cases"


@dataclass(frozen=True)
class Covered:
    """For how many cases of a group the promise was kept.

    Attributes
    ----------
    column, group
        Which cases.
    cases, kept
        How many, and for how many of them.
    width
        How much it says: in a classification the share of cases for which one class alone is left; in a regression the
        mean width of the range.
    """

    column: str
    group: str
    cases: int
    kept: int
    width: float


def names(conformal: Conformal, classes: Sequence[str]) -> list[str]:
    """Name the classes or the predicted levels of a promise."""
    if conformal.problem != "regression":
        return list(classes)
    edges = [number(edge) for edge in conformal.edges]
    if not edges:
        return ["every level"]
    between = [f"{low} to {high}" for low, high in itertools.pairwise(edges)]
    return [f"below {edges[0]}", *between, f"from {edges[-1]} on"]


def coverage(
    charter: Charter, data: Dataset, rows: np.ndarray, conformal: Conformal, answers: np.ndarray
) -> tuple[Covered, ...]:
    """Count for how many cases the promise was kept.

    Parameters
    ----------
    charter
        Names the sensitive columns.
    data, rows
        The data set, and the rows of its test part.
    conformal
        Learnt from other cases.
    answers
        About these rows.
    """
    known = data.outcome[rows]
    kept = conformal.covers(known, answers)
    if data.classes:
        says, how = (conformal.sets(answers).sum(axis=1) == 1).astype(float), "outcome"
        own = np.array(data.classes, dtype=object)[known]
    else:
        low, high = conformal.ranges(answers)
        says, how = high - low, "predicted level"
        own = np.array(names(conformal, ()), dtype=object)[conformal.place(answers)]

    def counted() -> Iterator[Covered]:
        sensitive = [name for name in charter.prediction.sensitive if name in data.raw]
        columns = {"": np.full(len(rows), EVERY, dtype=object), how: own}
        for column, groups in {**columns, **{name: bands(data.raw[name].iloc[rows]) for name in sensitive}}.items():
            order = names(conformal, data.classes) if column == how else pd.unique(pd.Series(groups).sort_values())
            for group in order:
                here = groups == group
                if here.any():
                    yield Covered(column, str(group), int(here.sum()), int(kept[here].sum()), float(says[here].mean()))

    return tuple(counted())


def table(covered: Sequence[Covered], conformal: Conformal) -> pd.DataFrame:
    """Show every group."""
    low, high = wilson(np.array([one.kept for one in covered]), np.array([one.cases for one in covered]))
    regression = conformal.problem == "regression"
    return pd.DataFrame(
        [
            {
                "column": one.column,
                "group": one.group,
                "cases": one.cases,
                "kept": f"{one.kept / one.cases:.1%}",
                "from": f"{start:.1%}",
                "to": f"{end:.1%}",
                "mean width" if regression else "one outcome left": number(one.width)
                if regression
                else f"{one.width:.0%}",
            }
            for one, start, end in zip(covered, low, high, strict=True)
        ]
    )


def evidence(covered: Sequence[Covered], conformal: Conformal, classes: Sequence[str]) -> Evidence:
    """Give how far the worst group surely stays below the promise."""
    behind, message = _judged(covered, conformal, classes)
    kept = {"coverage": covered[0].kept / covered[0].cases}
    return Evidence(behind, message, table(covered, conformal), data=kept)


def _judged(covered: Sequence[Covered], conformal: Conformal, classes: Sequence[str]) -> tuple[float | None, str]:
    """Intervals are Wilson's at a level corrected for the number of groups (Bonferroni): somebody is always last."""
    judged = [one for one in covered if one.cases >= FEWEST]
    if not judged or not all(conformal.cases):
        return None, f"Too few cases: none with {FEWEST} held back, or a class that was never held out to learn from."
    kept, cases = np.array([one.kept for one in judged]), np.array([one.cases for one in judged])
    _, most = wilson(kept, cases, 1 - ERROR / len(judged))
    worst = int(np.argmin(most))
    one, behind = judged[worst], max(0.0, conformal.level - float(most[worst]))
    everyone = covered[0]
    says = (
        f"The promise of {conformal.level:.0%} was kept for {everyone.kept / everyone.cases:.0%} of "
        f"{amount(everyone.cases, 'held-back case')}"
    )
    left = len(covered) - len(judged)
    few = f" {amount(left, 'group')} {agree(left, 'is', 'are')} too small to be judged." if left else ""
    learnt = conformal.few(names(conformal, classes))
    few += f" {learnt}" if learnt else ""
    if not behind:
        return 0.0, f"{says}, and for no group surely less often ({amount(len(judged), 'group')}).{few}"
    of = one.group if not one.column else f"{one.column} {one.group}"
    return behind, f"{says}, but for {of} in {one.kept / one.cases:.0%} of {amount(one.cases, 'case')}.{few}"
