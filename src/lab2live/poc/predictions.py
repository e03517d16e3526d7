"""What the chosen model answers, row by row: `artefacts/predictions.parquet`."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import label
from lab2live.data.splits import Split
from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth.value import Policy

FILE = "predictions.parquet"
# From which runs are compared on the same rows, see `portfolio.compare`.
SCORED = "scored.parquet"
TITLE = "Predictions of the chosen model"


def predictions(
    charter: Charter,
    table: pd.DataFrame,
    data: Dataset,
    split: Split,
    policy: Policy,
    out_of_fold: np.ndarray,
    test: np.ndarray,
) -> pd.DataFrame:
    """Write what the chosen model answers about every row whose target is known.

    Parameters
    ----------
    charter, table, data, split
        The project, its joined table, and what was made of it.
    policy
        Its threshold, or its costs, make a score a prediction; a capacity does not change the prediction of a row.
    out_of_fold, test
        Scores of the training and of the test set.

    Returns
    -------
    pandas.DataFrame
        Columns `id` (that of the charter's `id_column`, else the row's number in the joined table), `score` (the
        probability of the positive class, or with more classes the highest one; in a regression the number),
        `prediction` (a label as the target has it, or the number) and `split`. The score of a `train` row is
        *out-of-fold*: of a model that did not see the row, so a bundle gives another one. Training rows that no fold
        held out (the earliest ones, where folds go by time) are left out. Sorted as the joined table.
    """
    target, named = charter.prediction.target, charter.prediction.id_column
    place = np.flatnonzero(dataset.known(charter, table))
    rows, scores = np.concatenate([split.train, split.test]), np.concatenate([out_of_fold, test])
    part = np.repeat(["train", "test"], [len(split.train), len(split.test)])
    known = ~np.isnan(scores).reshape(len(scores), -1).any(axis=1)
    order = np.argsort(rows[known], kind="stable")
    rows, scores, part = rows[known][order], scores[known][order], part[known][order]
    ids = place if named is None else table[named].to_numpy()[place]
    return pd.DataFrame(
        {
            "id": pd.Series(ids[rows]).infer_objects(),
            "score": scores if scores.ndim == 1 else scores.max(axis=1),
            "prediction": _predicted(table[target], data, policy, scores),
            "split": part,
        }
    )


def scored(predicted: pd.DataFrame, split: Split, answers: Answers, name: str) -> pd.DataFrame:
    """Give what the metric of the chosen model was computed from, row by row of the test set.

    Parameters
    ----------
    predicted
        See `predictions`, whose ids are taken.
    split
        Its test rows are those of the answers.
    answers, name
        The chosen model's own are taken.

    Returns
    -------
    pandas.DataFrame
        Columns `id`, `outcome` and `answer`, as `metrics.score` takes the last two; sorted as the joined table.
    """
    order, answer = np.argsort(split.test, kind="stable"), answers.test[name]
    codes = answer.argmax(axis=1) if answer.ndim > 1 else answer
    ids = predicted.loc[predicted["split"] == "test", "id"].to_numpy()
    return pd.DataFrame({"id": ids, "outcome": answers.test_known[order], "answer": codes[order]})


def _predicted(target: pd.Series, data: Dataset, policy: Policy, scores: np.ndarray) -> pd.Series:
    if data.problem == "regression":
        return pd.Series(scores)
    codes = (scores >= policy.line).astype(int) if data.problem == "binary" else policy.decide(scores)
    # as the target writes them: numbers stay numbers
    written = {label(value): value for value in reversed(target.dropna().unique())}
    return pd.Series([written[data.classes[code]] for code in codes], dtype=object).infer_objects()
