"""What the candidates answer about cases that they have not learnt from: what every later question is asked of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lab2live.data.dataset import Problem


@dataclass(frozen=True)
class Answers:
    """The answers of all candidates, by the name of their rung.

    An answer is the probability of the positive class, shape (rows,); with more than two classes a probability per
    class, shape (rows, classes); in a regression a number, shape (rows,). Only the business rule may give scores that
    are no probabilities.

    Attributes
    ----------
    problem
        What kind of outcome it is.
    known
        The outcomes of the training part, in its order: 0/1, class codes, or numbers.
    out_of_fold
        For the same rows, what a candidate answered that had not learnt from them; NaN for rows that were never held
        out (the earliest ones, where folds go by time).
    test_known, test
        Outcomes and answers of the test part. Nothing may be chosen by them.
    test_groups
        Which test rows belong together, shape (rows,); `None` where each stands alone.
    in_shares
        Whether the test part was drawn to hold the classes in the shares that they have among all cases.
    """

    problem: Problem
    known: np.ndarray
    out_of_fold: Mapping[str, np.ndarray]
    test_known: np.ndarray
    test: Mapping[str, np.ndarray]
    test_groups: np.ndarray | None = None
    in_shares: bool = False
