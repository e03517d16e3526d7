"""What an own notebook starts from: the data, the chosen model and its predictions, as plain objects."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from lab2live.data import dataset, models, splits
from lab2live.data.sources import tables
from lab2live.pipeline import hooks
from lab2live.pipeline.context import RunContext
from lab2live.poc import predictions
from lab2live.poc.comparison import chosen


class Workspace(NamedTuple):
    """The objects in scope of an own notebook, in the order in which `load` gives them.

    Attributes
    ----------
    df
        The joined table with the user's features: the rows whose target is known, the target as the last column.
    X_train, X_test
        Features as `model` takes them: `model.predict(X_test)` works as it stands.
    y_train, y_test
        The target as `model` learnt it: 0/1 (1 is the positive class), class codes, or numbers.
    model
        The chosen pipeline of scikit-learn, fitted on the training set.
    predictions
        The content of `artefacts/predictions.parquet`, see `predictions.predictions`.
    """

    df: pd.DataFrame
    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: pd.Series
    y_test: pd.Series
    model: Any
    predictions: pd.DataFrame


def load(run: RunContext) -> Workspace:
    """Give what this run chose and found, or find it again where the run has no current model.

    The contract of `notebooks/06_own_analysis.ipynb`, whose first cell reads
    ``df, X_train, X_test, y_train, y_test, model, predictions = workspace.load(run)``. Rows of `df`, `X_*` and `y_*`
    share their index.
    """
    charter = run.charter
    table = tables.modelling_table(charter, run.sample, run.seed)
    data = hooks.dataset(charter, table)
    split = splits.split(charter, data, run.seed)
    picked = chosen.fitted(run, data, split)
    inputs = models.inputs_of(picked.model, data)
    test = models.answer(picked.model, inputs.iloc[split.test])
    target = charter.prediction.target
    known = table.loc[dataset.known(charter, table), target].reset_index(drop=True)
    outcome = pd.Series(data.outcome, index=data.raw.index, name=target)
    return Workspace(
        data.raw.assign(**{target: known}),
        inputs.iloc[split.train],
        inputs.iloc[split.test],
        outcome.iloc[split.train],
        outcome.iloc[split.test],
        picked.model,
        predictions.predictions(charter, table, data, split, picked.policy, picked.out_of_fold, test),
    )
