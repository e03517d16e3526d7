"""The candidates that learn: pipelines from prepared inputs to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import Columns
from lab2live.data.feature_types import prepare

# From this many rows on, more threads earn their keep.
THREADS_FROM = 100_000

FEWEST_KNOWN = 20

# First step of a pipeline around a candidate of the project's own, see `originals`.
ORIGINALS = "originals"

# Of boosting, where nobody has looked for better ones.
SETTINGS: Mapping[str, Any] = {
    "learning_rate": 0.08,
    "max_iter": 120,
    "max_leaf_nodes": 12,
    "min_samples_leaf": 30,
    "l2_regularization": 1.0,
}


def encoder(columns: Columns, *, impute: bool) -> Any:
    """Turn prepared inputs into a matrix of numbers: categories one-hot, numbers passed through or imputed and scaled.

    One-hot, because both the exact reasons of tree models and the ONNX export are right with it; native categories are
    silently wrong in both.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32)
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    parts = [
        ("numbers", numbers if impute else "passthrough", columns.numbers),
        ("categories", one_hot, columns.categories),
    ]
    return ColumnTransformer([part for part in parts if part[2]], verbose_feature_names_out=False)


def linear(data: Dataset) -> Any:
    """Give the simplest model that learns: logistic regression, or ridge regression."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import Pipeline

    model = LogisticRegression(C=0.3, max_iter=2000) if data.classes else Ridge(alpha=1.0)
    return Pipeline([("encode", encoder(data.columns, impute=True)), ("model", model)])


def boosting(data: Dataset, seed: int, settings: Mapping[str, Any] | None = None) -> Any:
    """Give gradient boosting; for two classes its probabilities are calibrated inside the pipeline.

    One sigmoid over one margin (Platt 1999): the reasons still add up after it, and ONNX holds it exactly.

    Parameters
    ----------
    data
        Says which problem it is and which columns there are.
    seed
        Of everything that is drawn.
    settings
        Of scikit-learn's estimator, instead of those in `SETTINGS`.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import Pipeline

    model = booster(data, seed, settings)
    if data.problem == "binary":
        parts = StratifiedKFold(3, shuffle=True, random_state=seed)
        model = CalibratedClassifierCV(model, method="sigmoid", ensemble=False, cv=parts)
    return Pipeline([("encode", encoder(data.columns, impute=False)), ("model", model)])


def booster(data: Dataset, seed: int, settings: Mapping[str, Any] | None = None) -> Any:
    """Give the estimator inside `boosting`: not calibrated, and to be fitted on an encoded matrix."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingClassifier if data.classes else HistGradientBoostingRegressor
    return kind(**{**SETTINGS, **(settings or {})}, early_stopping=False, random_state=seed)


def additive(data: Dataset, seed: int) -> Any:
    """Give boosting in which no two columns act together: one curve per column (Lou et al. 2012)."""
    return boosting(data, seed, {"interaction_cst": "no_interactions", "max_leaf_nodes": 5})


def own(charter: Charter, data: Dataset, estimator: Any) -> Any:
    """Put a candidate of the project's own behind the typed original columns: a pipeline as all others are."""
    from sklearn.pipeline import Pipeline

    from lab2live.data import originals

    return Pipeline([(ORIGINALS, originals.Originals(originals.types(charter, data))), ("model", estimator)])


def is_own(model: Any) -> bool:
    """Say whether a pipeline is the project's own, which takes original columns instead of prepared ones."""
    steps = getattr(model, "steps", None)
    return bool(steps and steps[0][0] == ORIGINALS)


def inputs_of(model: Any, data: Dataset) -> pd.DataFrame:
    """Give the rows of a data set as a model takes them."""
    return data.raw if is_own(model) else data.inputs


def taken(model: Any, featured: pd.DataFrame, columns: Columns) -> pd.DataFrame:
    """Give any rows with the user's features as a model takes them: prepared, or for an own one as they are."""
    return featured if is_own(model) else prepare(featured, columns)


def fit(model: Any, data: Dataset, rows: np.ndarray) -> Any:
    """Fit a pipeline on some rows of a data set and give it back.

    A number that is hardly ever known in these rows is taken for always the same: there is nothing to learn from it,
    and boosting breaks on a column that is empty in one part of its calibration. Own candidates see it as it is.
    """
    inputs = inputs_of(model, data).iloc[rows]
    if not is_own(model):
        known = inputs[data.columns.numbers].notna().sum()
        inputs = inputs.assign(**dict.fromkeys(known.index[known < FEWEST_KNOWN], 0.0))
    with quiet_threads(len(rows)):
        return model.fit(inputs, data.outcome[rows])


def quiet_threads(rows: int) -> Any:
    """Keep small work on one thread.

    Boosting synchronises its threads thousands of times; on small tables they wait longer than they work, and on a
    busy machine five to nine times as long. One thread also adds numbers up in the same order every time.
    """
    return _threads().limit(limits=1 if rows < THREADS_FROM else None, user_api="openmp")


@cache
def _threads() -> Any:
    """Look up the libraries that have threads, once: that takes as long as a small answer."""
    import sklearn.ensemble  # noqa: F401  # loads the library of boosting, so that it is found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def predict(model: Any, inputs: pd.DataFrame) -> np.ndarray:
    """Give one number per row: the probability of the positive class, the class code, or the value.

    Parameters
    ----------
    model
        A fitted pipeline of this module.
    inputs
        See `columns.prepare`.

    Returns
    -------
    numpy.ndarray
        Shape (rows,).
    """
    said = answer(model, inputs)
    return said.argmax(axis=1) if said.ndim == 2 else said


def answer(model: Any, inputs: pd.DataFrame | np.ndarray) -> np.ndarray:
    """Give all that a model says, see `poc.answers`: with more than two classes one probability per class.

    Parameters
    ----------
    model, inputs
        As for `predict`; or the last step of a pipeline, and what the steps before it make of the inputs.

    Returns
    -------
    numpy.ndarray
        Shape (rows,), or (rows, classes) for more than two.
    """
    with quiet_threads(len(inputs)):
        if not hasattr(model, "predict_proba"):
            return np.asarray(model.predict(inputs))
        probabilities = np.asarray(model.predict_proba(inputs))
        return probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities


def gaps(first: np.ndarray, second: np.ndarray, known: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Measure how far two models' answers to the same rows lie apart, shape (rows,); NaN where one is no number.

    Probabilities as they are. Numbers against their spread, and never against their size: a float32 holds three numbers
    within 812,345,678 +- 60, and the gap of such an answer is nothing beside it. Far outside of what is known, where a
    straight line may lead, the distance from there is the measure.

    Parameters
    ----------
    first, second
        See `answer`.
    known, classes
        The outcomes, or answers that stand for them; and no class where they are numbers.
    """
    with np.errstate(invalid="ignore"):  # infinity less infinity: no number, and so a difference
        apart = np.abs(first - second)
        apart = apart.max(axis=1) if apart.ndim == 2 else apart
        if not classes:
            apart = apart / np.maximum(np.abs(first - np.mean(known)), float(np.std(known)) or 1.0)
    return np.asarray(apart)
