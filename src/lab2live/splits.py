"""What is learnt from and what is held back: always in the way the model will be used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.cases import Dataset
from lab2live.schema import Charter

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """Row numbers of the part to learn from and of the part that is opened once, and how they were drawn."""

    train: np.ndarray
    test: np.ndarray
    how: str


def split(charter: Charter, data: Dataset, seed: int) -> Split:
    """Hold a test part back the way the model will be used: by time, by whole groups, else at random."""
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    rows = np.arange(len(data.raw))
    prediction = charter.prediction
    if prediction.time_column in data.raw:
        order = np.argsort(_moments(data.raw[prediction.time_column]), kind="stable")
        cut = int(len(rows) * (1 - TEST_SHARE))
        return Split(order[:cut], order[cut:], f"the last {TEST_SHARE:.0%} by {prediction.time_column}")
    if prediction.group_column in data.raw:
        groups = data.raw[prediction.group_column].map(str)
        train, test = next(GroupShuffleSplit(1, test_size=TEST_SHARE, random_state=seed).split(rows, groups=groups))
        return Split(train, test, f"whole groups of {prediction.group_column}, at random")
    counts = np.bincount(data.outcome) if data.classes else np.array([0])
    stratify = data.outcome if data.classes and counts.min() >= 2 else None
    train, test = train_test_split(rows, test_size=TEST_SHARE, random_state=seed, stratify=stratify)
    how = "at random, classes in equal shares" if stratify is not None else "at random"
    return Split(np.sort(train), np.sort(test), how)


def _moments(column: pd.Series) -> np.ndarray:
    """Make a column sortable by time, whether it holds dates or numbers; unknown moments count as the earliest."""
    if pd.api.types.is_numeric_dtype(column):
        return column.fillna(-np.inf).to_numpy(dtype=float)
    moments = pd.to_datetime(column.map(str, na_action="ignore"), errors="coerce", format="ISO8601", utc=True)
    return moments.fillna(pd.Timestamp(0, tz="UTC")).astype("int64").to_numpy()


def folds(
    charter: Charter, data: Dataset, train: np.ndarray, folds: int, repeats: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Split the training part again and again, in the same way in which the test part was held back.

    Yields
    ------
    (learn, validate)
        Row numbers of the data set.
    """
    from sklearn import model_selection as select

    prediction = charter.prediction
    if prediction.time_column in data.raw:
        # `train` is in the order of time already
        for learn, validate in select.TimeSeriesSplit(folds).split(train):
            yield train[learn], train[validate]
        return
    outcome, groups = data.outcome[train], None
    for repeat in range(repeats):
        splitter: Any
        if prediction.group_column in data.raw:
            groups = data.raw[prediction.group_column].map(str).to_numpy()[train]
            kind = select.StratifiedGroupKFold if data.classes else select.GroupKFold
            splitter = kind(folds, shuffle=True, random_state=seed + repeat)
        else:
            kind = select.StratifiedKFold if data.classes else select.KFold
            splitter = kind(folds, shuffle=True, random_state=seed + repeat)
        for learn, validate in splitter.split(train, outcome, groups):
            yield train[learn], train[validate]
