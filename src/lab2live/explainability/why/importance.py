"""What matters most, over all cases: how far each column moves answers on average."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lab2live.explainability.why.contributions import Reasons
from lab2live.explainability.why.telling import Scale
from lab2live.reporting import plots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BOOTSTRAPS = 200


def importance(reasons: Reasons, seed: int = 0) -> pd.DataFrame:
    """Rank the columns by how much they move answers on average.

    Returns
    -------
    pandas.DataFrame
        Columns `column`, `mean` (mean absolute reason; points of probability from 0 to 100, or the target's unit),
        `low`, `high` (95 % bootstrap interval over cases), greatest first.
    """
    size = reasons.points.abs().to_numpy() * (100 if reasons.probabilities else 1)
    random = np.random.default_rng(seed)
    draws = np.array([size[random.integers(len(size), size=len(size))].mean(axis=0) for _ in range(BOOTSTRAPS)])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    table = pd.DataFrame({"column": reasons.columns, "mean": size.mean(axis=0), "low": low, "high": high})
    return table.sort_values(["mean", "column"], ascending=[False, True], ignore_index=True)


def sentence(ranking: pd.DataFrame, scale: Scale) -> str:
    """Say what matters most."""
    top = ranking.iloc[0]
    if not top["mean"]:
        return "No column moves the answer: the model says the same of every case."
    moved = scale.alone(top["mean"]).removeprefix("+")
    return f"{top['column']} matters most: it moves the answer by {moved} on average, up or down."


def chart(ranking: pd.DataFrame, scale: Scale, most: int = 10) -> Figure:
    """Draw how far the strongest columns move answers."""
    top = ranking.head(most)
    title = f"{top['column'][0]} moves answers most" if top["mean"][0] else "No column moves the answers"
    columns, mean, low, high = (top[name].tolist() for name in ("column", "mean", "low", "high"))
    return plots.intervals(columns, mean, low, high, title, f"average size of a reason, {scale.measured}")
