"""What every column adds to a prediction, and what it is measured from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lab2live.explainability.why import points as to_points
from lab2live.explainability.why.families import Family


@dataclass(frozen=True)
class Background:
    """What stands for "knowing nothing" of a case: small enough to travel with the model.

    Attributes
    ----------
    centre
        The mean of the encoded training part, from which a linear model's reasons are measured. Empty for a tree
        model: that one carries its own, in how many training cases went through each node.
    rows
        Number of cases behind it.
    owners
        Of a project's own candidate: the original column that each encoded one is made of; empty for the others.
    log_odds
        Whether the own candidate adds up in log-odds; else in its predictions.
    sample
        Column -> values of the rows from which contributions of an own candidate are sampled; `None` where they are
        exact.
    """

    centre: tuple[float, ...]
    rows: int
    owners: tuple[str, ...] = ()
    log_odds: bool = True
    sample: Mapping[str, Sequence[Any]] | None = None


@dataclass(frozen=True)
class Reasons:
    """What every column adds to every answer.

    An *output* is the probability of the positive class, or of one of several classes, or the number that a regression
    predicts. The margin is where a model adds up: log-odds for classes, the target's unit for a regression.

    Attributes
    ----------
    columns
        What the reasons are told of: the columns of the model, or families of them.
    each
        In margin space, shape (rows, columns, outputs). One-hot columns are already summed into the column they come
        from.
    base
        Margins of a case about which nothing is known, shape (outputs,).
    margins, answers
        What the model itself says, shape (rows, outputs): taken from its own predictions, never from the sum.
    output
        Which output is explained, shape (rows,): the class that the model predicts where there are several.
    probabilities
        Whether the answers are probabilities.
    log_odds
        Whether it is log-odds that add up to them; else margins are the answers themselves.
    sampling_error
        The mean standard error of a contribution, in the scale of the margins; `None` where they are exact.
    """

    columns: tuple[str, ...]
    each: np.ndarray
    base: np.ndarray
    margins: np.ndarray
    answers: np.ndarray
    output: np.ndarray
    probabilities: bool
    log_odds: bool = True
    sampling_error: float | None = None

    @property
    def _curved(self) -> bool:
        return self.probabilities and self.log_odds

    @property
    def contributions(self) -> pd.DataFrame:
        """The reasons of the explained output in margin space: a row per case, a column per column."""
        return pd.DataFrame(self.each[self._rows, :, self.output], columns=list(self.columns))

    @cached_property
    def points(self) -> pd.DataFrame:
        """The reasons in the scale of the answer: shares of probability, see `points`, or the target's unit."""
        if not self._curved:
            return self.contributions
        if self.each.shape[2] == 1:
            slope = to_points.secant(self.base, self.margins[:, 0])
            return self.contributions * slope[:, None]
        weights = to_points.path(self.base, self.margins, self.output)
        return pd.DataFrame(np.einsum("rco,ro->rc", self.each, weights), columns=list(self.columns))

    @property
    def start(self) -> np.ndarray:
        """What the model says of a case about which nothing is known, in the scale of the answer, shape (rows,)."""
        if not self._curved:
            return self.base[self.output]
        if len(self.base) == 1:
            return to_points.probability(self.base)[self.output]
        return to_points.probabilities(self.base)[self.output]

    @property
    def answer(self) -> np.ndarray:
        """What the model says of the explained output, shape (rows,)."""
        said: np.ndarray = self.answers[self._rows, self.output]
        return said

    @property
    def additivity_error(self) -> float:
        """The largest gap between the sum of the reasons and the model's own margin, over all outputs.

        Relative to the largest margin where that is above 1: a target in millions has larger rounding errors.
        """
        gaps = np.abs(self.base + self.each.sum(axis=1) - self.margins)
        return float(gaps.max() / max(1.0, np.abs(self.margins).max()))

    @property
    def points_error(self) -> float:
        """The largest gap between start plus points and the model's own answer, relative as above."""
        gaps = np.abs(self.start + self.points.to_numpy().sum(axis=1) - self.answer)
        return float(gaps.max() / max(1.0, np.abs(self.answer).max()))

    @property
    def how(self) -> str:
        """How the contributions were found."""
        return "exact" if self.sampling_error is None else "estimated by sampling"

    @property
    def usual(self) -> int:
        """The output that is explained most often."""
        return int(np.bincount(self.output).argmax())

    @property
    def _rows(self) -> np.ndarray:
        return np.arange(len(self.output))

    def toward(self, output: int) -> Reasons:
        """Give the reasons for and against one output in all cases, e.g. one class whatever was predicted."""
        return replace(self, output=np.full(len(self.output), output))

    def of_families(self, families: Sequence[Family]) -> Reasons:
        """Add the reasons of columns that belong together; the sum over all of them stays the same."""
        place = {name: number for number, name in enumerate(self.columns)}
        summed = [self.each[:, [place[name] for name in family.members]].sum(axis=1) for family in families]
        return replace(self, columns=tuple(family.name for family in families), each=np.stack(summed, axis=1))
