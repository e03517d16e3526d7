"""What each encoded column adds to the margin of a boosted tree model: exact, without sampling."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trees:
    """A tree model, ready to be taken apart.

    Attributes
    ----------
    base
        The average margin of the cases that it learnt from, shape (outputs,).
    values
        Function from an encoded matrix to what each column adds, shape (rows, encoded, outputs).
    """

    base: np.ndarray
    values: Callable[[np.ndarray], np.ndarray]


def trees(model: Any) -> Trees:
    """Make scikit-learn's histogram boosting ready to be taken apart.

    Parameters
    ----------
    model
        Fitted, on numeric columns only: with native categories shap is wrong without a word.

    Returns
    -------
    Trees
        SHAP values, path-dependent: the background is how many training cases went through each node (Lundberg et al.
        2020). Where no tree uses more than one column, what a tree says less its own average is exactly that.
    """
    used = [[_columns(tree) for tree in trees] for trees in model._predictors]
    if all(len(columns) <= 1 for trees in used for columns in trees):
        return _one_column_each(model, used)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for a progress bar that nobody sees
        import shap  # takes seconds

        explainer = shap.TreeExplainer(model)

    def values(matrix: np.ndarray) -> np.ndarray:
        found = np.asarray(explainer.shap_values(matrix, check_additivity=False), dtype=float)
        return found if found.ndim == 3 else found[:, :, None]

    return Trees(np.atleast_1d(np.asarray(explainer.expected_value, dtype=float)), values)


def _columns(tree: Any) -> np.ndarray:
    columns: np.ndarray = np.unique(tree.nodes["feature_idx"][tree.nodes["is_leaf"] == 0])
    return columns


def _one_column_each(model: Any, used: list[list[np.ndarray]]) -> Trees:
    averages = np.array([[_average(tree) for tree in trees] for trees in model._predictors])
    # there are no native categories, but the trees ask for their list
    categories, places = model._bin_mapper.make_known_categories_bitsets()

    def values(matrix: np.ndarray) -> np.ndarray:
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
        found = np.zeros((*matrix.shape, averages.shape[1]))
        for number, trees in enumerate(model._predictors):
            for output, tree in enumerate(trees):
                for column in used[number][output]:
                    said = tree.predict(matrix, categories, places, 1)
                    found[:, column, output] += said - averages[number, output]
        return found

    return Trees(np.ravel(model._baseline_prediction) + averages.sum(axis=0), values)


def _average(tree: Any) -> float:
    leaves = tree.nodes[tree.nodes["is_leaf"] == 1]
    return float(np.average(leaves["value"], weights=leaves["count"]))
