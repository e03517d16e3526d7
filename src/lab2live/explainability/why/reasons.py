"""Why this output (T2a): additive reasons in the user's own columns that provably add up to the answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data import models
from lab2live.data.encoding import Columns
from lab2live.errors import UserError
from lab2live.explainability.why import points as to_points
from lab2live.explainability.why.families import Family
from lab2live.explainability.why.trees import Trees, trees

CERTAIN = 1e-9


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
    """

    centre: tuple[float, ...]
    rows: int


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
    """

    columns: tuple[str, ...]
    each: np.ndarray
    base: np.ndarray
    margins: np.ndarray
    answers: np.ndarray
    output: np.ndarray
    probabilities: bool

    @property
    def contributions(self) -> pd.DataFrame:
        """The reasons of the explained output in margin space: a row per case, a column per column."""
        return pd.DataFrame(self.each[self._rows, :, self.output], columns=list(self.columns))

    @cached_property
    def points(self) -> pd.DataFrame:
        """The reasons in the scale of the answer: shares of probability, see `points`, or the target's unit."""
        if not self.probabilities:
            return self.contributions
        if self.each.shape[2] == 1:
            slope = to_points.secant(self.base, self.margins[:, 0])
            return self.contributions * slope[:, None]
        weights = to_points.path(self.base, self.margins, self.output)
        return pd.DataFrame(np.einsum("rco,ro->rc", self.each, weights), columns=list(self.columns))

    @property
    def start(self) -> np.ndarray:
        """What the model says of a case about which nothing is known, in the scale of the answer, shape (rows,)."""
        if not self.probabilities:
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


@dataclass(frozen=True)
class Reasoner:
    """A model made ready to be explained, once: for many rows in a notebook, or for one after the other in a service.

    Attributes
    ----------
    model
        A fitted pipeline of `models`.
    columns
        In the order of the reasons.
    members
        Which encoded column belongs to which column, 0 or 1, shape (encoded, columns).
    centre
        See `Background`.
    trees
        Of a tree model; `None` for a linear one.
    """

    model: Any
    columns: tuple[str, ...]
    members: np.ndarray
    centre: np.ndarray
    trees: Trees | None

    def explain(self, inputs: pd.DataFrame) -> Reasons:
        """Explain the answers to some rows, see `explain`."""
        slope, intercept, inner = _calibration(self.model[-1])
        with models.quiet_threads(len(inputs)):
            matrix = np.asarray(self.model[:-1].transform(inputs), dtype=float)
            if self.trees is None:
                coefficients = np.atleast_2d(inner.coef_)
                each = (matrix - self.centre)[:, :, None] * coefficients.T[None]
                base = np.atleast_1d(inner.intercept_) + coefficients @ self.centre
            else:
                each, base = self.trees.values(matrix), self.trees.base
            margins, answers, probabilities = _said(self.model[-1], matrix)
        return Reasons(
            self.columns,
            np.einsum("reo,ec->rco", slope * each, self.members, optimize=True),
            slope * base + intercept,
            margins,
            answers,
            answers.argmax(axis=1),
            probabilities,
        )


def background(model: Any, inputs: pd.DataFrame) -> Background:
    """Sum up what stands for "knowing nothing": the training part.

    Parameters
    ----------
    model
        A fitted pipeline of `models`.
    inputs
        Its training cases, see `columns.prepare`.
    """
    if model is None or not hasattr(_calibration(model[-1])[2], "coef_"):
        return Background((), len(inputs))
    mean = np.asarray(model[:-1].transform(inputs), dtype=float).mean(axis=0)
    return Background(tuple(map(float, mean)), len(inputs))


def reasoner(model: Any, columns: Columns, background: Background) -> Reasoner:
    """Make a model ready to be explained. The first tree model of a process takes seconds: shap is imported.

    Raises
    ------
    UserError
        If there is no model: a constant and a rule have no reasons beside themselves.
    """
    inner = None if model is None else _calibration(model[-1])[2]
    if not hasattr(inner, "coef_") and not hasattr(inner, "_predictors"):
        raise UserError(
            "There are no reasons to give: what was chosen is not one of the models that learn.",
            found="a constant or a rule" if model is None else type(inner).__name__,
            expected="the linear, the additive or the boosting model of the ladder",
            fix="choose a model that learns: a constant says the same of every case, and a rule explains itself",
        )
    owner = _owners(model[:-1])
    members = np.array([owner == name for name in columns.kinds], dtype=float).T
    taken_apart = None if hasattr(inner, "coef_") else trees(inner)
    return Reasoner(model, tuple(columns.kinds), members, np.array(background.centre), taken_apart)


def explain(model: Any, columns: Columns, inputs: pd.DataFrame, background: Background) -> Reasons:
    """Explain answers by exact additive contributions, without sampling.

    Parameters
    ----------
    model
        A fitted pipeline of `models`.
    columns
        The part each column plays.
    inputs
        The cases to explain, see `columns.prepare`; one or more rows.
    background
        See `background`.

    Returns
    -------
    Reasons
        For linear models ``coefficient * (value - mean)``; for trees path-dependent SHAP values, see `trees`. The
        sigmoid calibration is one straight line over the margin, so it scales reasons and base alike.

    Raises
    ------
    UserError
        If `model` is not one that learns, see `reasoner`.
    """
    return reasoner(model, columns, background).explain(inputs)


def _owners(encode: Any) -> np.ndarray:
    """Say for each column of the encoded matrix from which input column it comes."""
    owners: list[str] = []
    for name, transformer, columns in encode[0].transformers_:
        if name == "categories":
            for column, values in zip(columns, transformer.categories_, strict=True):
                owners += [column] * len(values)
        elif name == "numbers":
            owners += list(columns)
    return np.array(owners, dtype=object)


def _calibration(last: Any) -> tuple[float, float, Any]:
    """Give slope and intercept of the calibrated margin over the inner model's, and that inner model."""
    if not hasattr(last, "calibrated_classifiers_"):
        return 1.0, 0.0, last
    (calibrated,) = last.calibrated_classifiers_  # ensemble=False: one inner model
    (sigmoid,) = calibrated.calibrators
    # scikit-learn's sigmoid is 1 / (1 + exp(a * margin + b))
    return -float(sigmoid.a_), -float(sigmoid.b_), calibrated.estimator


def _said(last: Any, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
    """Take margins and answers from what the model itself says, and whether the answers are probabilities."""
    if not hasattr(last, "predict_proba"):
        predicted = np.asarray(last.predict(matrix), dtype=float)[:, None]
        return predicted, predicted, False
    said = np.asarray(last.predict_proba(matrix), dtype=float)
    if said.shape[1] > 2:
        return np.asarray(last.decision_function(matrix), dtype=float), said, True
    positive = said[:, 1]
    # Next to 0 and 1 a probability has too few digits left to be taken back to the margin it came from.
    certain = (positive < CERTAIN) | (positive > 1 - CERTAIN)
    inside = np.where(certain, 0.5, positive)
    margins = np.log(inside) - np.log1p(-inside)
    if certain.any():
        slope, intercept, inner = _calibration(last)
        margins[certain] = slope * inner.decision_function(matrix[certain]) + intercept
    return margins[:, None], positive[:, None], True


def rounded_up(error: float) -> float:
    """Round an error up to the next power of ten: its digits are noise of the machine, its size is not."""
    return float(10.0 ** math.ceil(math.log10(max(error, 1e-12))))
