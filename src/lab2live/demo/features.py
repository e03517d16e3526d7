"""Columns derived from the joined table, row by row. Yours to edit: the model sees whatever this function adds."""

import pandas as pd

# What the features need. A column that a silo did not deliver is left alone instead of breaking the journey.
INPUTS = ("tickets", "longest_wait_hours", "late_payments", "monthly_bill", "tenure_months")


def add_features(frame: pd.DataFrame) -> pd.DataFrame:
    """Add derived columns.

    Every row is computed from itself alone, so that one case scored by the service gets the same values as in a
    table of thousands. Rows are never dropped or reordered.

    Parameters
    ----------
    frame
        The joined table, one row per customer.

    Returns
    -------
    pandas.DataFrame
        A copy with more columns and the same rows.
    """
    frame = frame.copy()
    for column in ("tickets", "longest_wait_hours"):
        if column in frame:
            # No row in the support silo means that the customer never called, which is knowledge and not a gap.
            frame[column] = pd.to_numeric(frame[column], errors="coerce").fillna(0.0)
    if {"monthly_bill", "tenure_months"} <= set(frame.columns):
        months = pd.to_numeric(frame["tenure_months"], errors="coerce").clip(upper=24)
        frame["recent_revenue"] = pd.to_numeric(frame["monthly_bill"], errors="coerce") * months
    return frame
