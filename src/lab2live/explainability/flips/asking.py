"""Puts a model behind the rows of the joined table, for being asked a few hundred small changes many times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lab2live.data import models
from lab2live.data.encoding import Columns
from lab2live.data.feature_types import prepare
from lab2live.errors import UserError
from lab2live.explainability.flips.moves import Predict


def predictor(add_features: Callable[[pd.DataFrame], pd.DataFrame], columns: Columns, model: Any) -> Predict:
    """Give a function from rows of the joined table to the model's answers.

    The same as the user's features, `prepare` and `models.answer` one after the other. Encoding is done here, since
    scikit-learn's column transformer takes longer than the model itself for so few rows.

    Parameters
    ----------
    add_features
        The project's own derived columns.
    columns
        What the model sees, see `cases.Dataset`.
    model
        A fitted pipeline of `models`.

    Raises
    ------
    UserError
        If there is none: nothing flips a constant, and a rule can be read.
    """
    if model is None:
        raise UserError(
            "There is nothing to flip: what was chosen is not one of the models that learn.",
            found="a constant or a rule",
            expected="one of the models in the comparison that learn",
            fix="choose a model; a constant says the same of every case, and a rule can be read",
        )
    if models.is_own(model):
        return lambda rows: models.answer(model, add_features(rows))
    encode, last = _Encoder(model), model[-1]

    def predict(rows: pd.DataFrame) -> np.ndarray:
        return models.answer(last, encode(prepare(add_features(rows), columns)))

    return predict


class _Encoder:
    """Does what `models.encoder` learnt, on plain arrays."""

    def __init__(self, model: Any) -> None:
        self.parts = [(name, fitted, list(columns)) for name, fitted, columns in model[0].transformers_ if columns]
        self.parts = [part for part in self.parts if part[0] != "remainder"]

    def __call__(self, inputs: pd.DataFrame) -> np.ndarray:
        encoded = []
        for name, fitted, columns in self.parts:
            if name == "categories":
                encoded += [
                    (inputs[column].to_numpy()[:, None] == known[None]).astype(np.float32)
                    for column, known in zip(columns, fitted.categories_, strict=True)
                ]
                continue
            numbers = inputs[columns].to_numpy(dtype=float)
            encoded.append(numbers if _passes(fitted) else _scaled(fitted, numbers))
        return np.hstack(encoded)


def _passes(fitted: Any) -> bool:
    return isinstance(fitted, str) or not hasattr(fitted, "named_steps")


def _scaled(fitted: Any, numbers: np.ndarray) -> np.ndarray:
    imputer, scaler = (step for _, step in fitted.steps)
    filled = np.where(np.isnan(numbers), imputer.statistics_, numbers)
    return np.asarray((filled - scaler.mean_) / scaler.scale_)
