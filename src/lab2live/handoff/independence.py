"""Does the project's own code treat every case by itself? Else a case alone gets another answer than in a file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from lab2live.handoff.bundle import Bundle
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting.formatting import amount

# Cases that are computed alone, and among others in another order.
ALONE, TOGETHER = 40, 1000
# Numbers that differ by less, relative to the spread of their column, are the same; and by no more than what is lost of
# a float when sums are taken in another order.
SAME, LOST = 1e-9, 1e-13


def differing(bundle: Bundle, rows: pd.DataFrame, seed: int = 0) -> Evidence:
    """Let features and rule of a bundle look at cases alone, in another order and in halves, and compare.

    Parameters
    ----------
    bundle
        Whose `features.py` and `rules.py` are tried.
    rows
        Real cases of the joined table, without the outcome.
    seed
        Of the choice of cases and of their order.

    Returns
    -------
    Evidence
        The number of columns (and rules) that depend on other cases.
    """
    tried: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {}
    if bundle.features is not None:
        tried["features.py"] = bundle.featured
    if bundle.rules is not None:
        tried["rules.py"] = lambda frame: pd.DataFrame({"score": bundle.rule(frame)}, index=frame.index)
    if not tried:
        return Evidence(0, "No code of the project's own travels in the bundle.")
    if len(rows) < 2:
        return Evidence(None, "Fewer than two rows in the test set: there is nothing to compare.")
    found: list[str] = []
    for name, compute in tried.items():
        try:
            found += [f"{name}: {column}" for column in _dependent(compute, rows, seed)]
        except Exception as error:  # the project's own code
            found.append(f"{name} fails: {type(error).__name__}")
    asked = amount(min(len(rows), TOGETHER), "case")
    if not found:
        says = f"{' and '.join(tried)} give {asked} the same, whether they come together, alone or in another order."
        return Evidence(0, says)
    said = ", ".join(found[:5]) + (" and more" if len(found) > 5 else "")
    says = f"Depends on which other cases it comes with: {said}. Compute each row from itself alone."
    return Evidence(len(found), says)


def _dependent(compute: Callable[[pd.DataFrame], pd.DataFrame], rows: pd.DataFrame, seed: int) -> list[str]:
    """Name the columns that come out otherwise when the same cases come in another company."""
    random = np.random.default_rng(seed)
    together = rows.iloc[random.permutation(len(rows))[:TOGETHER]].reset_index(drop=True)
    wanted = compute(together)
    shuffled = together.iloc[random.permutation(len(together))]
    half = len(together) // 2
    alone = [compute(together.iloc[[place]]) for place in range(min(ALONE, len(together)))]
    companies = [compute(shuffled).sort_index(), pd.concat([compute(together[:half]), compute(together[half:])])]
    companies.append(pd.concat(alone))
    return [
        str(name)
        for name in wanted
        if any(name not in other or not _same(wanted[name].loc[other.index], other[name]) for other in companies)
    ]


def _same(one: pd.Series, other: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(one) and pd.api.types.is_numeric_dtype(other):
        first, second = (column.to_numpy(dtype=float, na_value=np.nan) for column in (one, other))
        spread = np.std(first[np.isfinite(first)] if np.isfinite(first).any() else 0.0)
        return bool(np.allclose(first, second, rtol=LOST, atol=SAME * spread, equal_nan=True))
    missing = one.isna().to_numpy()
    return bool(
        np.array_equal(missing, other.isna().to_numpy())
        and np.array_equal(one[~missing].astype(str).to_numpy(), other[~missing].astype(str).to_numpy())
    )
