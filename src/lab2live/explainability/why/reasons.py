"""Why this output (T2a): additive reasons in the user's own columns that provably add up to the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from lab2live.data import models
from lab2live.data.encoding import Columns
from lab2live.errors import UserError
from lab2live.explainability.why import own
from lab2live.explainability.why.contributions import Background, Reasons
from lab2live.explainability.why.trees import Trees, trees
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import formatting

CERTAIN = 1e-9


class Reasoner(Protocol):
    """A model made ready to be explained, once: for many rows in a notebook, or for one after the other in a service.

    `most` is how many rows a page explains at most, where each one takes long; else `None`.
    """

    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def most(self) -> int | None: ...
    def explain(self, inputs: pd.DataFrame) -> Reasons:
        """Explain the predictions for some rows, see `explain`."""


@dataclass(frozen=True)
class BuiltIn:
    """A built-in model, made ready to be explained.

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

    most = None

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
        Its training cases, see `models.inputs_of`.
    """
    if models.is_own(model):
        return own.background(model, inputs)
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
    if models.is_own(model):
        ready = own.Exact if background.sample is None else own.Sampled
        return ready(model, names(model, columns), background)
    inner = None if model is None else _calibration(model[-1])[2]
    if not hasattr(inner, "coef_") and not hasattr(inner, "_predictors"):
        raise UserError(
            "There are no reasons to give: what was chosen is not one of the models that learn.",
            found="a constant or a rule" if model is None else type(inner).__name__,
            expected="one of the models in the comparison that learn",
            fix="choose a model that learns: a constant says the same of every case, and a rule explains itself",
        )
    owner = _owners(model[:-1])
    members = np.array([owner == name for name in columns.kinds], dtype=float).T
    taken_apart = None if hasattr(inner, "coef_") else trees(inner)
    return BuiltIn(model, tuple(columns.kinds), members, np.array(background.centre), taken_apart)


def names(model: Any, columns: Columns) -> tuple[str, ...]:
    """Give the columns of which reasons are told: those that the model takes."""
    return tuple(model[0].types) if models.is_own(model) else tuple(columns.kinds)


def explain(model: Any, columns: Columns, inputs: pd.DataFrame, background: Background) -> Reasons:
    """Explain answers by additive contributions: exact ones, or sampled ones of an own candidate, see `own`.

    Parameters
    ----------
    model
        A fitted pipeline of `models`.
    columns
        The part each column plays.
    inputs
        The cases to explain, see `models.inputs_of`; one or more rows.
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


def additivity(found: Reasons) -> Evidence:
    """Say whether the contributions add up to the predictions, and whether they are exact or estimated."""
    error = rounded_up(max(found.additivity_error, found.points_error))
    says = f"The largest gap among {len(found.answers):,} answers is below {error:.0e}."
    data = {"additivity_error": found.additivity_error, "contributions": found.how}
    if found.sampling_error is None:
        return Evidence(error, f"{says} The contributions are exact.", data=data)
    off = formatting.number(found.sampling_error * (100 if found.probabilities else 1), 2)
    unit = " points" if found.probabilities else ""
    return Evidence(
        error,
        f"{says} The contributions are estimated by sampling: they add up by construction, and the standard error of "
        f"each is {off}{unit} on average.",
        data={**data, "sampling_error": found.sampling_error},
    )


def rounded_up(error: float) -> float:
    """Round an error up to the next power of ten: its digits are noise of the machine, its size is not."""
    return float(10.0 ** math.ceil(math.log10(max(error, 1e-12))))
