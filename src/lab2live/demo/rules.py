"""The business rule of today: the baseline that a model must beat, and the answer when the model cannot be used."""

import numpy as np
import pandas as pd


def score(frame: pd.DataFrame) -> np.ndarray:
    """Score customers the way the retention team does it today, without a model.

    The team calls customers on a monthly contract, first those who complained to support.

    Parameters
    ----------
    frame
        The joined table with the columns of `features.add_features`.

    Returns
    -------
    numpy.ndarray
        One number per row between 0 and 1, the higher the more likely to leave. Never NaN: a fallback has to answer.
    """
    monthly = frame["contract"].astype("string").eq("monthly").fillna(False).to_numpy(dtype=bool)
    tickets = pd.to_numeric(frame["tickets"], errors="coerce").fillna(0.0).to_numpy(dtype=float)
    return np.where(monthly, np.where(tickets >= 2, 0.5, 0.25), 0.05)
