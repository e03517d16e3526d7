"""The form in which a project's own candidates take their inputs: the original columns, typed the same everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import EPOCH, label
from lab2live.data.feature_types import as_days, as_numbers

Type = Literal["integer", "number", "boolean", "date", "text"]


class Originals(TransformerMixin, BaseEstimator):
    """First step of a pipeline around an own candidate: rows with the user's features -> typed original columns.

    It learns nothing, so that a row has the same form in training, in a request alone, and after a source went out.

    Parameters
    ----------
    types
        Column -> its type in the training data, in their order. Other columns are dropped; a missing one is empty.
    """

    def __init__(self, types: Mapping[str, Type]) -> None:
        self.types = types

    def fit(self, frame: pd.DataFrame, target: Any = None) -> Originals:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Give numbers as float64 (int64 where whole and none is missing), text as object with None, booleans as bool
        (object with None where one is missing) and dates as datetime64.
        """
        empty = pd.Series(None, index=frame.index, dtype=object)
        return pd.DataFrame(
            {name: _typed(frame.get(name, empty), kind) for name, kind in self.types.items()},
            index=frame.index,
        )


def types(charter: Charter, data: Dataset) -> dict[str, Type]:
    """Say of which type each original column is; what names a row or its group is left out, as for other models."""
    prediction = charter.prediction
    names = {*charter.identifiers, prediction.group_column, *prediction.annotators}
    return {str(name): _type(data, name) for name in data.raw.columns if name not in names}


def _type(data: Dataset, name: str) -> Type:
    column, kind = data.raw[name], data.columns.kinds.get(name)
    if kind == "date" or pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.infer_dtype(column, skipna=True) == "boolean":
        return "boolean"
    if kind == "number" or (kind is None and pd.api.types.is_numeric_dtype(column)):
        return "integer" if pd.api.types.is_integer_dtype(column) and not column.isna().any() else "number"
    return "text"


def _typed(column: pd.Series, kind: Type) -> pd.Series:
    index = column.index
    if kind == "text":
        texts = [None if missing else label(value) for value, missing in zip(column, column.isna(), strict=True)]
        return pd.Series(texts, index=index, dtype=object)
    if kind == "date":
        since = pd.to_timedelta(np.round(as_days(column) * 86_400e6), unit="us").to_numpy()
        moments = np.datetime64(EPOCH.replace(tzinfo=None), "us") + since.astype("timedelta64[us]")
        return pd.Series(moments, index=index)
    numbers = as_numbers(column)
    numbers[~np.isfinite(numbers)] = np.nan
    known = ~np.isnan(numbers)
    if kind == "boolean":
        values = pd.Series(numbers != 0, index=index)
        return values if known.all() else values.astype(object).mask(~known, None)
    whole = kind == "integer" and known.all() and bool((numbers == np.round(numbers)).all())
    return pd.Series(numbers, index=index, dtype=np.int64 if whole else float)
