"""How sure is the answer about one case, in words: how often such answers were right, and what cannot be ruled out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lab2live.explainability.confidence import alike, conformal
from lab2live.explainability.confidence.alike import Alike
from lab2live.explainability.confidence.conformal import Conformal
from lab2live.explainability.sides import Sides
from lab2live.reporting.formatting import number

# Digits of the ends of a range.
DIGITS = 3


@dataclass(frozen=True)
class Sure:
    """What is known about how far answers can be trusted, one by one.

    Attributes
    ----------
    promise
        Outcomes that cannot be ruled out.
    alike
        How often such outputs were right; `None` in a regression.
    sides
        What an answer means.
    """

    promise: Conformal
    alike: Alike | None
    sides: Sides

    def left(self, answer: Any) -> tuple[str, ...]:
        """Give the classes that cannot be ruled out for one case; of a classification."""
        kept = self.promise.sets(np.asarray(answer)[None])[0]
        return tuple(name for name, there in zip(self.sides.classes, kept, strict=True) if there)

    def single(self, answers: np.ndarray) -> np.ndarray:
        """Say for which cases one outcome alone is left; in a regression, whether anything can be ruled out at all."""
        if self.promise.problem == "regression":
            return np.isfinite(np.column_stack(self.promise.ranges(answers))).all(axis=1)
        return np.asarray(self.promise.sets(answers).sum(axis=1) == 1)

    def range(self, answer: Any) -> tuple[float, float]:
        """Give the lowest and the highest number that cannot be ruled out for one case; of a regression."""
        low, high = self.promise.ranges(np.asarray([answer], dtype=float))
        return float(low[0]), float(high[0])

    def set_words(self, answer: Any, unit: str = "") -> str:
        """Say what cannot be ruled out for one case.

        Parameters
        ----------
        answer
            See `models.answer`.
        unit
            Of a regression's target.
        """
        level = f"{self.promise.level:.0%} confidence"
        if self.promise.problem == "regression":
            low, high = self.range(answer)
            if not np.isfinite([low, high]).all():
                return f"With {level} nothing can be ruled out: too few cases were there to learn it from."
            of = f" {unit}" if unit else ""
            return f"With {level} the outcome lies between {number(low, DIGITS)} and {number(high, DIGITS)}{of}."
        left = [f"'{name}'" for name in self.left(answer)]
        if not left:
            return f"With {level} every outcome could be ruled out: such answers were rare, whatever the outcome."
        if len(left) == 1:
            return f"With {level} the outcome is {left[0]}."
        if len(left) == len(self.sides.classes):
            return f"With {level} no outcome can be ruled out: {' or '.join(left)}."
        return f"With {level} the outcome is {' or '.join(left)}."

    def words(self, answer: Any, unit: str = "") -> list[str]:
        """Say all that is known about how sure one answer is."""
        said = [] if self.alike is None else [alike.words(self.alike, self.sides, answer, self.sides.classes)]
        return [*said, self.set_words(answer, unit)]

    def to_dict(self) -> dict[str, Any]:
        """Give all of it as JSON can hold it."""
        return {
            "promise": self.promise.to_dict(),
            "alike": None if self.alike is None else self.alike.to_dict(),
            "sides": self.sides.to_dict(),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Sure:
        """Read what `to_dict` gave."""
        known = None if kept["alike"] is None else Alike.from_dict(kept["alike"])
        return cls(Conformal.from_dict(kept["promise"]), known, Sides.from_dict(kept["sides"]))


def sure(sides: Sides, known: np.ndarray, answers: np.ndarray) -> Sure:
    """Learn how sure answers are, from cases that the model had not learnt from.

    Parameters
    ----------
    sides
        What an answer means.
    known, answers
        Of the training part, out of fold; rows whose answer is NaN are left out.
    """
    promise = conformal.learn(sides.problem, known, answers)
    return Sure(promise, None if sides.problem == "regression" else alike.learn(sides, known, answers), sides)
