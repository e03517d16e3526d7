"""Of 100 cases like this one, how many turned out as the model said?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lab2live.data.intervals import wilson
from lab2live.explainability.confidence.conformal import probabilities
from lab2live.explainability.sides import Sides
from lab2live.reporting.formatting import amount, chance

# Cases whose answers are alike: so many that a share is known to some ten points, and no more groups than tell apart.
FEWEST_ALIKE, MOST_GROUPS = 100, 10


@dataclass(frozen=True)
class Alike:
    """Cases with the same output and a similar probability of it, and how often the output was right.

    Attributes
    ----------
    edges
        Per output: the probabilities between which a group lies.
    cases, right
        Per output and group: how many cases of known outcome there were, and for how many the output was right.
    """

    edges: tuple[tuple[float, ...], ...]
    cases: tuple[tuple[int, ...], ...]
    right: tuple[tuple[int, ...], ...]

    def of(self, code: int, probability: float) -> tuple[int, int]:
        """Give the cases like this one, and for how many the output was right.

        Parameters
        ----------
        code
            The output, see `Sides.code`.
        probability
            That the model gives it.
        """
        group = int(np.searchsorted(self.edges[code], probability, side="right"))
        return self.cases[code][group], self.right[code][group]

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Alike:
        """Read what `to_dict` gave."""
        return cls(*(tuple(tuple(part) for part in kept[name]) for name in ("edges", "cases", "right")))


def learn(sides: Sides, known: np.ndarray, answers: np.ndarray) -> Alike:
    """Count how often outputs were right.

    Parameters
    ----------
    sides
        Says which output an answer means. Of a classification.
    known, answers
        Of cases that the model has not learnt from; rows whose answer is NaN are left out.
    """
    told = ~np.isnan(answers).reshape(len(answers), -1).any(axis=1)
    known, answers = known[told], answers[told]
    codes, said = sides.code(answers), probabilities(answers)
    all_edges, all_cases, all_right = [], [], []
    for code in range(said.shape[1]):
        here = codes == code
        surely, right = said[here, code], known[here] == code
        groups = int(np.clip(here.sum() // FEWEST_ALIKE, 1, MOST_GROUPS))
        edges = np.unique(np.quantile(surely, np.linspace(0, 1, groups + 1)[1:-1])) if groups > 1 else np.array([])
        place = np.searchsorted(edges, surely, side="right")
        all_edges.append(tuple(edges.tolist()))
        all_cases.append(tuple(np.bincount(place, minlength=len(edges) + 1).tolist()))
        all_right.append(tuple(np.bincount(place[right], minlength=len(edges) + 1).tolist()))
    return Alike(tuple(all_edges), tuple(all_cases), tuple(all_right))


def words(alike: Alike, sides: Sides, answer: np.ndarray | float, classes: Sequence[str]) -> str:
    """Say how often cases like one turned out as the model said: `of 100 cases like this, 83 ...`.

    Parameters
    ----------
    answer
        About one case, see `models.answer`.
    """
    answers = np.asarray(answer)[None]
    code = int(sides.code(answers)[0])
    cases, right = alike.of(code, float(probabilities(answers)[0, code]))
    if not cases:
        return f"No case of known outcome got the output '{classes[code]}': nobody can say how often it is right."
    low, high = wilson(np.array(right), np.array(cases))
    few = "" if cases >= FEWEST_ALIKE else " These are few cases."
    share = chance(right / cases).removesuffix(" %")
    return (
        f"Of 100 cases like this, {share} turned out '{classes[code]}' as the model says "
        f"(95 % interval {100 * low:.0f} to {100 * high:.0f}, from {amount(cases, 'case')}).{few}"
    )
