"""Cases with a twin (L4d): equal in everything a model sees, so that what is tested on could have been learnt."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.eda.checks.findings import EXAMPLES, JOINED, Finding, Skip, finding
from lab2live.reporting.formatting import agree, amount

# Below this share of repeated cases a test is hardly flattered.
WARN = 0.005


def twins(charter: Charter, data: Dataset) -> list[Finding | Skip]:
    """Find cases that repeat another one in every feature and the target, more often than chance explains.

    Cases of one group stay on one side of the split anyway: their twins do not count.

    Returns
    -------
    list of Finding
        `value` is the share of cases that repeat an earlier one.
    """
    if data.copies is None:
        return []
    of, group = pd.DataFrame({"case": data.copies}), charter.prediction.group_column
    if group in data.raw:
        of = of[~of.assign(group=data.raw[group].map(str).to_numpy()).duplicated()]
    again = of.index[of["case"].duplicated()]
    surplus, share = len(again), len(again) / len(of)
    if share <= WARN:
        return []
    repeat = agree(surplus, "repeats", "repeat")
    stay = "" if charter.prediction.time_column in data.raw else "; copies stay on one side of the split"
    what = (
        f"{amount(surplus, 'case')} ({share:.1%}) {repeat} another one in every feature and the target, "
        f"more than chance explains{stay}."
    )
    name = next((name for name in charter.identifiers if name in data.raw), None)
    rows = np.asarray(again[:EXAMPLES])
    shown = data.raw[name].iloc[rows] if name else [f"row {row + 1:,}" for row in rows]
    return [finding("duplicate.rows", JOINED, None, "warn", share, WARN, what, surplus, shown)]
