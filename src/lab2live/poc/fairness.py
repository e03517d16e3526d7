"""Does the model serve every group? Score, errors and money per level of each column the charter calls sensitive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import intervals
from lab2live.data.dataset import Dataset, Problem
from lab2live.data.encoding import label
from lab2live.data.feature_types import as_numbers
from lab2live.data.intervals import Score
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import agree, amount, minus, score_text

Worth = Callable[[np.ndarray, np.ndarray], float]

# A group of fewer cases cannot be judged, nor one with fewer cases of a class.
FEWEST, FEWEST_OF_CLASS = 30, 5
# Numbers with more levels than this are cut into bands.
MOST_LEVELS, BANDS = 8, 4
# Of all groups together, no more than one in twenty may be called worse off by chance.
LEVEL = 0.05
UNKNOWN = "not stated"


@dataclass(frozen=True)
class Group:
    """One level of a sensitive column in the test part.

    Attributes
    ----------
    column, level, cases
        Which cases, and how many.
    score, low, high
        With its interval; NaN where there are too few cases.
    selected, missed
        Of two classes: the share acted on, and the share of the positive cases that is not acted on.
    worth
        Money per case; NaN without money in the charter.
    behind
        By how much the group surely lies behind the groups' mean, as a share of the model's lead over the constant.
    """

    column: str
    level: str
    cases: int
    score: float
    low: float
    high: float
    selected: float
    missed: float
    worth: float
    behind: float


@dataclass(frozen=True)
class Fairness:
    """All groups, those that are worst served first within each column; `problem` says why none is judged."""

    groups: tuple[Group, ...]
    problem: str = ""

    @property
    def evidence(self) -> Evidence:
        """Say how far the worst served group surely lies behind."""
        behind, message = self._judged()
        return Evidence(behind, message, self.table() if self.groups else None, data={"fairness": self})

    def _judged(self) -> tuple[float | None, str]:
        if self.problem:
            return None, self.problem
        judged = [group for group in self.groups if np.isfinite(group.behind)]
        if not judged:
            return None, f"No group has enough cases to be judged ({FEWEST} and more, of every class)."
        worst = max(judged, key=lambda group: group.behind)
        few = len(self.groups) - len(judged)
        left = f" {amount(few, 'group')} {agree(few, 'is', 'are')} too small to be judged." if few else ""
        if worst.behind <= 0:
            return 0.0, f"No group is surely served worse than the others ({amount(len(judged), 'group')}).{left}"
        measured = score_text(worst.score, worst.low, worst.high)
        return worst.behind, (
            f"Cases with {worst.column} {worst.level} are served worse: {measured}. Against the mean "
            f"of all groups they surely miss {worst.behind:.0%} of what the model gains over a constant answer.{left}"
        )

    def table(self) -> pd.DataFrame:
        """Show every group; columns without any number are left away."""
        rows = [
            {
                "column": group.column,
                "group": group.level,
                "cases": group.cases,
                "score": group.score,
                "from": group.low,
                "to": group.high,
                "acted on": group.selected,
                "positives missed": group.missed,
                "worth per case": group.worth,
            }
            for group in self.groups
        ]
        return pd.DataFrame(rows).dropna(axis=1, how="all")


def fairness(
    charter: Charter,
    data: Dataset,
    test: np.ndarray,
    answers: np.ndarray,
    constant: np.ndarray,
    score: Score,
    *,
    decided: np.ndarray | None = None,
    worth: np.ndarray | None = None,
    together: np.ndarray | None = None,
    seed: int = 0,
) -> Fairness:
    """Score the test part group by group.

    Parameters
    ----------
    charter
        Names the sensitive columns, whether the model sees them or not.
    data, test
        The data set and the rows of its test part.
    answers, constant
        Of the model and of the constant answer for these rows, see `Answers`.
    score
        See `ladder.scorer`.
    decided
        Of two classes: which cases are acted on.
    worth
        Money per case of the decisions.
    together
        Which rows belong together.
    seed
        Of the resampling.

    Returns
    -------
    Fairness
        Points and shares by fairlearn's `MetricFrame`; intervals are bootstraps within the group, at a level corrected
        for the number of groups (Bonferroni), because somebody is always last.
    """
    from fairlearn.metrics import MetricFrame, false_negative_rate, selection_rate

    names = [name for name in charter.prediction.sensitive if name in data.raw]
    if not charter.prediction.sensitive:
        return Fairness((), "The charter names no sensitive column (prediction.sensitive).")
    if not names:
        gone = ", ".join(charter.prediction.sensitive)
        return Fairness((), f"The sensitive columns are not in the joined table: {gone}.")
    known, rows = data.outcome[test], np.arange(len(test))
    lead = float(score(known, answers)) - float(score(known, constant))
    levels = {name: bands(data.raw[name].iloc[test]) for name in names}
    sizes = {
        (name, level): np.flatnonzero(levels[name] == level) for name in names for level in pd.unique(levels[name])
    }
    judged = [key for key, of in sizes.items() if enough(data.problem, known[of])]
    share = LEVEL / max(1, len(judged))
    found = []
    for name in names:
        scored = lambda _, of: score(known[of], answers[of]) if enough(data.problem, known[of]) else np.nan  # noqa: E731
        frame = MetricFrame(metrics=scored, y_true=rows, y_pred=rows, sensitive_features=levels[name])
        # Against the mean within groups and not against all cases: what tells groups apart counts only in the latter.
        usual = _mean(frame.by_group, [len(sizes[name, level]) for level in frame.by_group.index])
        rates = None
        if decided is not None:
            rates = MetricFrame(
                metrics={"selected": selection_rate, "missed": false_negative_rate},
                y_true=known,
                y_pred=decided.astype(int),
                sensitive_features=levels[name],
            ).by_group
        for level, value in frame.by_group.items():
            of, text = sizes[name, level], str(level)
            low, high = float("nan"), float("nan")
            if (name, level) in judged:
                boot = intervals.bootstrap(
                    known[of], {"": answers[of]}, score, seed, None if together is None else together[of]
                )[""]
                low, high = (float(edge) for edge in np.quantile(boot, [share / 2, 1 - share / 2]))
            found.append(
                Group(
                    name,
                    text,
                    len(of),
                    float(value),
                    low,
                    high,
                    float("nan") if rates is None else float(rates.loc[level, "selected"]),
                    float("nan") if rates is None or not known[of].any() else float(rates.loc[level, "missed"]),
                    float("nan") if worth is None else float(worth[of].mean()),
                    float("nan") if not np.isfinite(high) else max(0.0, usual - high) / lead if lead > 0 else 0.0,
                )
            )
    problem = "" if lead > 0 else "The model is no better than a constant answer: there is nothing to share out."
    order = {name: place for place, name in enumerate(names)}
    found.sort(key=lambda group: (order[group.column], np.nan_to_num(group.score, nan=np.inf), group.level))
    return Fairness(tuple(found), problem)


def _mean(scores: pd.Series, cases: list[int]) -> float:
    there = scores.notna().to_numpy()
    return float(np.average(scores[there], weights=np.array(cases)[there])) if there.any() else float("nan")


def enough(problem: Problem, known: np.ndarray) -> bool:
    """Say whether a group can be scored at all."""
    if len(known) < FEWEST:
        return False
    if problem == "regression":
        return bool(np.ptp(known) > 0)
    counts = np.unique(known, return_counts=True)[1]
    return len(counts) > 1 and int(counts.min()) >= FEWEST_OF_CLASS


def bands(column: pd.Series) -> np.ndarray:
    """Give the group of every row: the level, or for numbers of many values a band of equally many cases."""
    numbers = as_numbers(column) if pd.api.types.is_numeric_dtype(column) else np.full(len(column), np.nan)
    known = np.isfinite(numbers)
    if not known.any() or len(np.unique(numbers[known])) <= MOST_LEVELS:
        return column.map(label, na_action="ignore").fillna(UNKNOWN).astype(str).to_numpy(dtype=object)
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, BANDS + 1), method="nearest"))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    ends = [minus(f"{edge:g}") for edge in edges]
    names = [
        f"{low} to {high}" if last else f"{low} to below {high}"
        for low, high, last in zip(ends[:-1], ends[1:], [False] * (len(edges) - 2) + [True], strict=True)
    ]
    return np.where(known, np.array(names, dtype=object)[place], UNKNOWN)
