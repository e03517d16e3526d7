"""Why this output (T2a): additive reasons in the user's own columns that provably add up to the prediction."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live import charts, models, words
from lab2live.cases import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOOTSTRAPS = 200

CERTAIN = 1e-9


@dataclass(frozen=True)
class Reasons:
    """What every column adds to every prediction.

    Attributes
    ----------
    contributions
        One row per case and one column per input column, in margin space: log-odds for classes, the target's unit for
        regression. One-hot columns are already summed into the column they come from.
    base
        Shape (rows,): what the model would say if it knew nothing about the case.
    margin
        Shape (rows,): what the model itself says, taken from its own prediction and not from the contributions.
    """

    contributions: pd.DataFrame
    base: np.ndarray
    margin: np.ndarray

    @property
    def additivity_error(self) -> float:
        """The largest gap between the sum of the reasons and the model's own margin.

        Relative to the largest margin where that is above 1: a target in millions has larger rounding errors.
        """
        gaps = np.abs(self.base + self.contributions.sum(axis=1).to_numpy() - self.margin)
        return float(gaps.max() / max(1.0, np.abs(self.margin).max()))


def explain(model: Any, data: Dataset, background: np.ndarray, rows: np.ndarray) -> Reasons:
    """Explain predictions by exact additive contributions, without sampling.

    Parameters
    ----------
    model
        A fitted pipeline of `models`.
    data
        The data set.
    background
        Row numbers that stand for "knowing nothing": the training part. A linear model's contributions are measured
        from their mean; a tree model's from the cover of its own nodes.
    rows
        Row numbers of the cases to explain.

    Returns
    -------
    Reasons
        For linear models ``coefficient * (value - mean)``; for trees SHAP values by TreeExplainer (Lundberg et al.
        2020), path-dependent. The sigmoid calibration is one straight line over the margin, so it scales reasons and
        base alike. With more than two classes, the reasons are those of the class that the model predicts.
    """
    encode, last = model[:-1], model[-1]
    inputs = data.inputs.iloc[rows]
    matrix = np.asarray(encode.transform(inputs), dtype=float)
    owner = _owners(encode)
    slope, intercept, inner = _calibration(last)
    if hasattr(inner, "coef_"):
        mean = np.asarray(encode.transform(data.inputs.iloc[background]), dtype=float).mean(axis=0)
        coefficients = np.atleast_2d(inner.coef_)
        each = (matrix - mean)[:, :, None] * coefficients.T[None]
        base = np.tile(np.atleast_1d(inner.intercept_) + coefficients @ mean, (len(rows), 1))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it asks for a progress bar that nobody sees
            import shap

        explainer = shap.TreeExplainer(inner)
        with models.quiet_threads(len(rows)):
            values = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=float)
        each = values if values.ndim == 3 else values[:, :, None]
        base = np.tile(np.atleast_1d(np.asarray(explainer.expected_value, dtype=float)), (len(rows), 1))
    # one output for two classes and for regression; else the predicted class
    output = models.predict(model, inputs).astype(int) if each.shape[2] > 1 else np.zeros(len(rows), dtype=int)
    picked = slope * each[np.arange(len(rows)), :, output]
    grouped = {name: picked[:, owner == name].sum(axis=1) for name in data.columns.kinds}
    return Reasons(
        pd.DataFrame(grouped, index=inputs.index),
        slope * base[np.arange(len(rows)), output] + intercept,
        _margin(model, inputs, output),
    )


def _owners(encode: Any) -> np.ndarray:
    """Say for each column of the encoded matrix from which input column it comes."""
    owners: list[str] = []
    for name, transformer, columns in encode[0].transformers_:
        if name == "categories":
            for column, values in zip(columns, transformer.categories_, strict=True):
                owners += [column] * len(values)
        elif name == "numbers":
            owners += list(columns)
    return np.array(owners)


def _calibration(last: Any) -> tuple[float, float, Any]:
    """Give slope and intercept of the calibrated margin over the inner model's, and that inner model."""
    if not hasattr(last, "calibrated_classifiers_"):
        return 1.0, 0.0, last
    (calibrated,) = last.calibrated_classifiers_  # ensemble=False: one inner model
    (sigmoid,) = calibrated.calibrators
    # scikit-learn's sigmoid is 1 / (1 + exp(a * margin + b))
    return -float(sigmoid.a_), -float(sigmoid.b_), calibrated.estimator


def _margin(model: Any, inputs: pd.DataFrame, output: np.ndarray) -> np.ndarray:
    """Take the margin from what the model answers: the logit of its probability, or the value."""
    with models.quiet_threads(len(inputs)):
        if not hasattr(model, "predict_proba"):
            return np.asarray(model.predict(inputs), dtype=float)
        probabilities = model.predict_proba(inputs)
        if probabilities.shape[1] == 2:
            positive = probabilities[:, 1].astype(float)
            # Next to 0 and 1 a probability has too few digits left to be taken back to the margin it came from.
            certain = (positive < CERTAIN) | (positive > 1 - CERTAIN)
            positive = np.where(certain, 0.5, positive)
            return np.where(certain, _decision(model, inputs), np.log(positive) - np.log1p(-positive))
        margins: np.ndarray = model.decision_function(inputs)
        return margins[np.arange(len(inputs)), output]


def _decision(model: Any, inputs: pd.DataFrame) -> np.ndarray:
    slope, intercept, inner = _calibration(model[-1])
    decided: np.ndarray = inner.decision_function(model[:-1].transform(inputs))
    return slope * decided + intercept


def importance(reasons: Reasons, seed: int = 0) -> pd.DataFrame:
    """Rank the columns by how much they move predictions on average.

    Returns
    -------
    pandas.DataFrame
        Columns `column`, `mean` (mean absolute contribution), `low`, `high` (95 % bootstrap interval over cases),
        greatest first.
    """
    size = reasons.contributions.abs()
    random = np.random.default_rng(seed)
    draws = np.array(
        [size.to_numpy()[random.integers(len(size), size=len(size))].mean(axis=0) for _ in range(BOOTSTRAPS)]
    )
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    table = pd.DataFrame({"column": size.columns, "mean": size.mean().to_numpy(), "low": low, "high": high})
    return table.sort_values(["mean", "column"], ascending=[False, True], ignore_index=True)


@dataclass(frozen=True)
class Case:
    """One prediction with its reasons, for reading."""

    title: str
    row: int
    prediction: float
    base: float
    total: float
    reasons: tuple[tuple[str, float], ...]


def telling_cases(
    reasons: Reasons, data: Dataset, predictions: np.ndarray, rows: np.ndarray, top: int = 6
) -> list[Case]:
    """Pick three cases that tell most: the highest, the middle and the lowest prediction; or one of each class.

    Parameters
    ----------
    reasons, predictions, rows
        Of the same cases, in the same order.
    top
        Reasons to name; the others are summed up in one line, so that every case still adds up.
    """
    if data.problem == "multiclass":
        firsts = {int(code): int(np.argmax(predictions == code)) for code in np.unique(predictions)[:3]}
        found = {f"A case predicted {data.classes[code]}": number for code, number in firsts.items()}
        return [_case(title, reasons, data, predictions, rows, number, top) for title, number in found.items()]
    order = np.argsort(predictions, kind="stable")
    picked = {"The highest prediction": order[-1], "A typical prediction": order[len(order) // 2]}
    picked["The lowest prediction"] = order[0]
    return [_case(title, reasons, data, predictions, rows, int(number), top) for title, number in picked.items()]


def _case(
    title: str, reasons: Reasons, data: Dataset, predictions: np.ndarray, rows: np.ndarray, number: int, top: int
) -> Case:
    parts = reasons.contributions.iloc[number]
    named = parts.reindex(parts.abs().sort_values(ascending=False, kind="stable").index)
    lines = [
        (f"{name} = {shown(data.raw.iloc[rows[number]].get(name))}", float(named[name])) for name in named.index[:top]
    ]
    if len(named) > top:
        lines.append((f"{len(named) - top} other columns", float(named.iloc[top:].sum())))
    base = float(reasons.base[number])
    return Case(title, int(rows[number]), float(predictions[number]), base, base + float(parts.sum()), tuple(lines))


def shown(value: object) -> str:
    """Write a value the way a person would say it."""
    if words.is_missing(value):
        return "missing"
    text = value.date().isoformat() if isinstance(value, pd.Timestamp) else words.short(value)
    return text if len(text) <= 40 else text[:37] + "..."


def unit(data: Dataset) -> str:
    """Name what reasons are measured in."""
    return "in the unit of the target" if data.problem == "regression" else "in log-odds"


def sentence(case: Case, data: Dataset) -> str:
    """Say the strongest reasons of one case in words."""
    said = f"predicted {_predicted(case, data)}"
    parts = [f"{what} {'raises' if value > 0 else 'lowers'} it by {abs(value):.2f}" for what, value in case.reasons[:3]]
    return f"{said}: {', '.join(parts)} ({unit(data)})."


def _predicted(case: Case, data: Dataset) -> str:
    if data.problem == "binary":
        return f"{case.prediction:.0%} {data.classes[-1]}"
    return data.classes[int(case.prediction)] if data.problem == "multiclass" else f"{case.prediction:,.4g}"


def rounded_up(error: float) -> float:
    """Round an error up to the next power of ten: its digits are noise of the machine, its size is not."""
    return float(10.0 ** math.ceil(math.log10(max(error, 1e-12))))


def importance_chart(ranking: pd.DataFrame, data: Dataset, most: int = 10) -> Figure:
    """Draw how far the strongest columns move predictions."""
    top = ranking.head(most)
    title = f"{top['column'][0]} moves predictions most"
    columns, mean, low, high = (top[name].tolist() for name in ("column", "mean", "low", "high"))
    return charts.intervals(columns, mean, low, high, title, f"average reason, {unit(data)}")


def case_chart(case: Case, data: Dataset) -> Figure:
    """Draw the reasons of one case."""
    names, values = zip(*case.reasons, strict=True)
    title = f"{case.title}: {_predicted(case, data)}"
    return charts.contributions(names, values, case.base, case.total, title, f"what each column adds, {unit(data)}")
