"""Cases with a twin (L4d): equal in everything a model sees, so that one can be learnt from and the other tested on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data import splits
from lab2live.data.dataset import Dataset
from lab2live.eda.checks.copies import BEYOND_CHANCE, FEWEST, SURE, by_chance, hashes_of
from lab2live.eda.checks.findings import EXAMPLES, JOINED, Finding, Severity, Skip, finding
from lab2live.reporting.formatting import agree, amount

# Below this share of repeated cases a test is hardly flattered.
WARN = 0.005


def twins(charter: Charter, data: Dataset) -> list[Finding | Skip]:
    """Find cases that repeat another one in every input, more often than chance explains.

    With few coarse columns many cases are equal by chance; how many, is estimated from those that are equal in all
    columns but one, see `copies.by_chance`. Cases of one group stay on one side of the split: their twins do not count.

    Returns
    -------
    list of Finding
        `value` is the share of cases that repeat an earlier one; a remark when chance explains them.
    """
    hashes = np.column_stack([hashes_of(data.inputs[name], place) for place, name in enumerate(data.inputs)])
    groups = splits.groups(charter, data, np.arange(len(hashes)))
    if groups is not None:
        first = pd.DataFrame({"group": groups, "total": hashes.sum(axis=1, dtype=np.uint64)}).duplicated()
        hashes, places = hashes[~first.to_numpy()], np.flatnonzero(~first.to_numpy())
    else:
        places = np.arange(len(hashes))
    total = hashes.sum(axis=1, dtype=np.uint64)
    again = pd.Series(total).duplicated().to_numpy()
    surplus, share = int(again.sum()), float(again.mean())
    if surplus < FEWEST or share <= WARN:
        return []
    expected = by_chance(hashes, total, surplus, None)
    sure = surplus > BEYOND_CHANCE * expected and stats.poisson.sf(surplus - 1, expected) < SURE
    severity: Severity = "warn" if sure else "info"
    how = f"where chance explains {expected:,.0f}" if sure else "as chance explains with columns as coarse as these"
    repeat = agree(surplus, "repeats", "repeat")
    what = f"{amount(surplus, 'case')} ({share:.1%}) {repeat} another one in every input of the model, {how}."
    name = next((name for name in charter.identifiers if name in data.raw), None)
    rows = places[np.flatnonzero(again)[:EXAMPLES]]
    shown = data.raw[name].iloc[rows] if name else [f"row {row + 1:,}" for row in rows]
    return [finding("duplicate.rows", JOINED, None, severity, share, WARN, what, surplus, shown)]
