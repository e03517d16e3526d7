"""What can be promised about a single case: the outcomes that cannot be ruled out, right in 90 of 100 cases.

Split conformal prediction (Vovk et al. 2005, Lei et al. 2018), for each class or each predicted level by itself
(Mondrian): one threshold for all would keep the promise on average and break it for the rare class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    from lab2live.data.dataset import Problem

LEVEL = 0.9
# Predicted levels of a regression, and how many cases each needs at least: its two tails are told by one case in
# twenty each.
LEVELS, FEWEST_IN_LEVEL = 4, 100
# Fewer cases than this, and a promise hangs on the luck of their draw: with 50 it is kept for 82 to 96 of 100.
FEW = 50


@dataclass(frozen=True)
class Conformal:
    """What was learnt from the answers about cases whose outcome is known.

    Attributes
    ----------
    problem
        What kind of outcome it is.
    level
        The promise: the share of cases for which it holds.
    limits
        In a classification: per class, how improbable it may be called and still not be ruled out. In a regression:
        per predicted level, the smallest and the largest distance of the truth from the answer.
    edges
        Between the predicted levels of a regression, shape (levels - 1,).
    cases
        How many each promise was learnt from.
    """

    problem: Problem
    level: float
    limits: tuple[tuple[float, float], ...]
    edges: tuple[float, ...]
    cases: tuple[int, ...]

    def sets(self, answers: np.ndarray) -> np.ndarray:
        """Say which classes cannot be ruled out, shape (rows, classes)."""
        return np.asarray(1 - probabilities(answers) <= np.array([high for _, high in self.limits]))

    def ranges(self, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the lowest and the highest number that cannot be ruled out, shape (rows,) each."""
        low, high = np.array(self.limits).T
        place = self.place(answers)
        return np.asarray(answers + low[place]), np.asarray(answers + high[place])

    def place(self, answers: np.ndarray) -> np.ndarray:
        """Give the predicted level of each answer of a regression, shape (rows,)."""
        return np.searchsorted(np.array(self.edges), answers, side="right")

    def covers(self, known: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Say for which cases the promise was kept, shape (rows,)."""
        if self.problem == "regression":
            low, high = self.ranges(answers)
            return np.asarray((low <= known) & (known <= high))
        return np.asarray(self.sets(answers)[np.arange(len(known)), np.asarray(known, dtype=int)])

    def few(self, names: Sequence[str]) -> str:
        """Say for which classes, or predicted levels, there were too few cases; empty where there were enough."""
        short = [
            f"{name} ({amount(count, 'case')})" for name, count in zip(names, self.cases, strict=True) if count < FEW
        ]
        if not short:
            return ""
        return f"Too few cases to promise much, at least {FEW} would be needed: {', '.join(short)}."

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it; infinity is `null`."""
        limits = [[edge if math.isfinite(edge) else None for edge in pair] for pair in self.limits]
        return {**asdict(self), "limits": limits}

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Conformal:
        """Read what `to_dict` gave."""
        limits = tuple(
            (-math.inf if low is None else low, math.inf if high is None else high) for low, high in kept["limits"]
        )
        return cls(kept["problem"], kept["level"], limits, tuple(kept["edges"]), tuple(kept["cases"]))


def probabilities(answers: np.ndarray) -> np.ndarray:
    """Give a probability per class, shape (rows, classes), from answers as `poc.answers` has them."""
    return answers if answers.ndim == 2 else np.column_stack([1 - answers, answers])


def learn(
    problem: Problem, known: np.ndarray, answers: np.ndarray, level: float = LEVEL, conditional: bool = True
) -> Conformal:
    """Learn what can be promised.

    Parameters
    ----------
    problem
        What kind of outcome it is.
    known, answers
        Of cases that the model has not learnt from, see `poc.answers`; rows whose answer is NaN are left out.
    level
        The promise.
    conditional
        Whether it is to hold for each class, or each predicted level, by itself; else for all cases together.
    """
    told = ~np.isnan(answers).reshape(len(answers), -1).any(axis=1)
    known, answers = known[told], answers[told]
    if problem == "regression":
        return _levels(known - answers, answers, level, conditional)
    said = probabilities(answers)
    improbable = 1 - said[np.arange(len(known)), np.asarray(known, dtype=int)]
    parts = [improbable[known == code] if conditional else improbable for code in range(said.shape[1])]
    limits = tuple((0.0, _quantile(part, level)) for part in parts)
    return Conformal(problem, level, limits, (), tuple(map(len, parts)))


def _levels(miss: np.ndarray, answers: np.ndarray, level: float, conditional: bool) -> Conformal:
    """Learn both ends of a regression's range, each missed equally often."""
    levels = int(np.clip(len(answers) // FEWEST_IN_LEVEL, 1, LEVELS)) if conditional else 1
    edges = np.unique(np.quantile(answers, np.linspace(0, 1, levels + 1)[1:-1])) if levels > 1 else np.array([])
    place = np.searchsorted(edges, answers, side="right")
    parts = [miss[place == number] for number in range(len(edges) + 1)]
    tail = (1 + level) / 2
    limits = tuple((-_quantile(-part, tail), _quantile(part, tail)) for part in parts)
    return Conformal("regression", level, limits, tuple(edges.tolist()), tuple(map(len, parts)))


def _quantile(values: np.ndarray, level: float) -> float:
    """Give the value that a new one stays below with at least this chance; infinite if there are too few to say."""
    # the small step keeps 0.9 * 10 from becoming 9.000000000000002
    place = math.ceil((len(values) + 1) * level - 1e-9)
    return float(np.partition(values, place - 1)[place - 1]) if place <= len(values) else math.inf
