"""Contributions of a project's own candidates: exact where the library can take the model apart, else by sampling.

Nothing is believed of a model by its name: an exact way counts only if what it gives adds up to the model's own
predictions on rows of the training set. Native categories in boosting, for example, do not (SHAP is wrong there).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data import models
from lab2live.explainability.why.contributions import Background, Reasons

# The largest gap, relative to the largest margin, at which contributions count as exact: the limit of the gate.
EXACT = 1e-6
# Rows on which that is measured, and rows encoded at once while owners of encoded columns are looked for.
MEASURED, AT_ONCE = 200, 20_000
# Walks of each row from background rows to itself; even, as every second one goes the other way round.
WALKS = 40
# Predictions that are asked for at once: more would only fill the memory.
MOST_ASKED = 50_000
# Next to 0 and 1 a probability has too few digits left to be taken back to the margin it came from.
CERTAIN = 1e-9


def background(model: Any, inputs: pd.DataFrame) -> Background:
    """Find out how an own candidate can be explained, and what stands for "knowing nothing" there.

    Parameters
    ----------
    model
        A fitted pipeline of `models.own`.
    inputs
        Its training rows.
    """
    frame = model[0].transform(inputs)
    few = inputs.iloc[np.linspace(0, len(inputs) - 1, min(len(inputs), MEASURED)).astype(int)]
    for log_odds in (True, False) if hasattr(model, "predict_proba") else (False,):
        try:
            owners, centre = _owners(model[-1], frame)
            found = Background(tuple(centre), len(inputs), tuple(owners), log_odds)
            if Exact(model, tuple(frame.columns), found).explain(few).additivity_error <= EXACT:
                return found
        except Exception:  # whatever is no encoding and a model that can be taken apart: sampling can explain it
            continue
    # every column is dealt out anew, so that no real row travels with the model
    random = np.random.default_rng(0)
    dealt = {str(name): list(frame[name].iloc[random.integers(len(frame), size=WALKS)]) for name in frame}
    return Background((), len(inputs), sample=dealt)


@dataclass(frozen=True)
class Exact:
    """An encoding behind which a tree or a linear model stands: SHAP values without sampling."""

    model: Any
    columns: tuple[str, ...]
    background: Background

    most = None

    @cached_property
    def _values(self) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
        last = _last(self.model[-1])
        if hasattr(last, "coef_"):
            coefficients, centre = np.atleast_2d(last.coef_), np.array(self.background.centre)
            base = np.atleast_1d(last.intercept_) + coefficients @ centre
            return lambda matrix: ((matrix - centre)[:, :, None] * coefficients.T[None], base)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for a progress bar that nobody sees
            import shap  # takes seconds

            explainer = shap.TreeExplainer(last)

        def values(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            found = explainer.shap_values(matrix, check_additivity=False)
            each = np.stack(found, axis=2) if isinstance(found, list) else np.asarray(found, dtype=float)
            each = each if each.ndim == 3 else each[:, :, None]
            base = np.atleast_1d(np.asarray(explainer.expected_value, dtype=float))
            # of two classes the second one is told of
            return (each[:, :, 1:], base[1:]) if each.shape[2] == 2 else (each, base[-each.shape[2] :])

        return values

    def explain(self, inputs: pd.DataFrame) -> Reasons:
        """Explain the predictions for some rows with the user's features."""
        members = np.array([np.array(self.background.owners) == name for name in self.columns], dtype=float).T
        with models.quiet_threads(len(inputs)):
            matrix = _matrix(self.model[-1], self.model[0].transform(inputs))
            each, base = self._values(matrix)
            answers = _answers(models.answer(self.model, inputs))
            margins = self._margins(answers, matrix) if self.background.log_odds else answers
        if self.background.log_odds and answers.shape[1] > 1:
            # one number added to all margins of a row changes no probability: they are told around their mean
            each, base = each - each.mean(axis=2, keepdims=True), base - base.mean()
        summed = np.einsum("reo,ec->rco", each, members, optimize=True)
        probabilities = hasattr(self.model, "predict_proba")
        output = answers.argmax(axis=1)
        return Reasons(self.columns, summed, base, margins, answers, output, probabilities, self.background.log_odds)

    def _margins(self, answers: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        if answers.shape[1] > 1:
            logs = np.log(np.maximum(answers, np.finfo(float).tiny))
            return np.asarray(logs - logs.mean(axis=1, keepdims=True))
        certain = (answers[:, 0] < CERTAIN) | (answers[:, 0] > 1 - CERTAIN)
        inside = np.where(certain, 0.5, answers[:, 0])
        margins, last = np.log(inside) - np.log1p(-inside), _last(self.model[-1])
        if certain.any():
            margins[certain] = np.ravel(_raw(last, matrix[certain]))
        return np.asarray(margins[:, None])


def _raw(last: Any, matrix: np.ndarray) -> Any:
    if hasattr(last, "decision_function"):
        return last.decision_function(matrix)
    return last.predict_proba(matrix, raw_score=True)  # LightGBM's name for its margin


@dataclass(frozen=True)
class Sampled:
    """Any model: Shapley values by walking from background rows to the row, one column after the other, at random.

    Each row is walked to from `WALKS` background rows (Štrumbelj and Kononenko 2014), every second time in the
    reverse order. What the columns add sums up exactly; how it is shared among them is an estimate, and its standard
    error stands in `Reasons.sampling_error`. The same walks each time, so that a row is always explained alike.
    """

    model: Any
    columns: tuple[str, ...]
    background: Background

    # rows that a page explains at most: each costs hundreds of predictions
    most = 200

    @cached_property
    def _start(self) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
        """Give the background rows, their answers, and at which step of each walk a column is changed."""
        frame = self.model[0].transform(pd.DataFrame(dict(self.background.sample or {})))
        random, width = np.random.default_rng(0), len(self.columns)
        orders = [random.permutation(width) for _ in range(WALKS // 2)]
        place = np.array([np.argsort(one) for order in orders for one in (order, order[::-1])])
        return frame, self._asked(frame), place

    def _asked(self, frame: pd.DataFrame) -> np.ndarray:
        return _answers(models.answer(self.model[-1], frame))

    def explain(self, inputs: pd.DataFrame) -> Reasons:
        """Explain the predictions for some rows with the user's features."""
        frame = self.model[0].transform(inputs)
        at_once = max(1, MOST_ASKED // (WALKS * len(self.columns)))
        with models.quiet_threads(len(inputs)):
            _, known, _ = self._start
            answers = self._asked(frame)
            parts = [self._walk(frame.iloc[rows], answers[rows]) for rows in _chunks(len(frame), at_once)]
        each, error = np.concatenate([part for part, _ in parts]), np.concatenate([error for _, error in parts])
        return Reasons(
            self.columns,
            each,
            known.mean(axis=0),
            answers,
            answers,
            answers.argmax(axis=1),
            hasattr(self.model, "predict_proba"),
            log_odds=False,
            sampling_error=float(error.mean()),
        )

    def _walk(self, frame: pd.DataFrame, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start, known, place = self._start
        rows, width, outputs = len(frame), len(self.columns), answers.shape[1]
        # after step s of walk w a column is the row's own if it was changed before: shape (rows, walks, steps)
        steps, shape = np.arange(1, width), (rows, WALKS, width - 1)
        path = np.empty((rows, WALKS, width + 1, outputs))
        path[:, :, 0], path[:, :, -1] = known[None], answers[:, None]
        if width > 1:
            mixed = {
                name: np.where(
                    np.broadcast_to(place[None, :, number, None] < steps, shape),
                    frame[name].to_numpy()[:, None, None],
                    start[name].to_numpy()[None, :, None],
                ).ravel()
                for number, name in enumerate(self.columns)
            }
            path[:, :, 1:-1] = self._asked(pd.DataFrame(mixed)).reshape(*shape, outputs)
        changes = np.diff(path, axis=2)
        walks = np.arange(WALKS)[:, None]
        each = changes[:, walks, place]  # (rows, walks, columns, outputs)
        pairs = (each[:, ::2] + each[:, 1::2]) / 2
        return each.mean(axis=1), pairs.std(axis=1, ddof=1) / np.sqrt(WALKS / 2)


def _answers(said: np.ndarray) -> np.ndarray:
    return np.asarray(said, dtype=float).reshape(len(said), -1)


def _last(estimator: Any) -> Any:
    return estimator[-1] if hasattr(estimator, "steps") else estimator


def _matrix(estimator: Any, frame: pd.DataFrame) -> np.ndarray:
    """Encode rows as the last step of an own candidate takes them; one that is no pipeline takes them as they are."""
    found: Any = estimator[:-1].transform(frame) if hasattr(estimator, "steps") and len(estimator.steps) > 1 else frame
    return np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=float)


def _chunks(rows: int, most: int) -> Iterator[np.ndarray]:
    return iter(np.array_split(np.arange(rows), max(1, -(-rows // most))))


def _owners(estimator: Any, frame: pd.DataFrame) -> tuple[list[str], np.ndarray]:
    """Find for each encoded column the one original column it is made of, by moving one after the other by a row.

    Raises
    ------
    ValueError
        If an encoded column is made of several, as a principal component is.
    """
    owners: np.ndarray | None = None
    total: Any = 0.0
    for rows in _chunks(len(frame), AT_ONCE):
        part = frame.iloc[rows]
        before = _matrix(estimator, part)
        owners = np.full(before.shape[1], "", dtype=object) if owners is None else owners
        total = total + np.nansum(before, axis=0)
        for name in frame.columns:
            moved = part.assign(**{name: np.roll(part[name].to_numpy(), 1)})
            after = _matrix(estimator, moved)
            changed = ((before != after) & ~(np.isnan(before) & np.isnan(after))).any(axis=0)
            if ((owners != "") & (owners != name) & changed).any():
                raise ValueError(f"an encoded column is made of {name} and another one")
            owners[changed] = name
    assert owners is not None
    return owners.tolist(), np.asarray(total / len(frame), dtype=float)
