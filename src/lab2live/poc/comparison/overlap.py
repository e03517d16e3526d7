"""Does the test part know the training part (P1)? What stands in both cannot test anything."""

from __future__ import annotations

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.splits import Split, clock
from lab2live.pipeline.evidence import Evidence

# Below this share of rows that are the only ones of their kind, equal rows are what such columns give by themselves.
MOSTLY_UNIQUE = 0.98
# So few columns say too little for two equal rows to be one case.
FEWEST_COLUMNS = 3


def shared(charter: Charter, data: Dataset, split: Split) -> Evidence:
    """Count the test cases that the training part knows already.

    Where the split goes by time, counted are cases from before the end of the training part, or before its labels were
    known; customers who come again
    later are what the model will meet. Else cases of a group that is in both, and cases with an identifier that is in
    both. Always rows that are copies of a training row in every column: equal rows are no copies where the columns are
    so few or so coarse that rows are equal by chance.
    """
    prediction, raw = charter.prediction, data.raw
    found: dict[str, np.ndarray] = {}
    for name in dict.fromkeys([prediction.group_column, prediction.id_column]):
        if name in raw and prediction.time_column not in raw:
            both = raw[name].map(str, na_action="ignore")
            known = set(both.iloc[split.train].dropna())
            found[f"{name} is in both parts"] = both.iloc[split.test].isin(known).to_numpy()
    timed = clock(charter, data)
    if timed is not None:
        when, delay = timed
        newest = when[split.train].max()
        until = "labels of the training part are known" if delay else "end of the training part"
        found[f"before the {until} by {prediction.time_column}"] = (when[split.test] <= newest) | (
            when[split.test] < newest + delay
        )
    named = {*charter.identifiers, prediction.group_column}
    told = raw.drop(columns=[name for name in raw if name in named])
    prints = pd.util.hash_pandas_object(told.astype(str), index=False).to_numpy()
    unique = len(np.unique(prints[split.train])) / max(1, len(split.train))
    coarse = told.shape[1] < FEWEST_COLUMNS or unique < MOSTLY_UNIQUE
    if not coarse:
        found["copies of a training row"] = np.isin(prints[split.test], prints[split.train])
    known_already = np.any(list(found.values()), axis=0) if found else np.zeros(len(split.test), dtype=bool)
    number = int(known_already.sum())
    left = " Copies of rows were not looked for: these columns are equal by chance too often." if coarse else ""
    if not number:
        ways = ", ".join(found) or "nothing"
        return Evidence(
            0, f"None of {len(split.test):,} test cases is known to the training part (looked at: {ways}).{left}"
        )
    counts = "; ".join(f"{what} ({int(of.sum()):,})" for what, of in found.items() if of.any())
    return Evidence(
        number, f"{number:,} of {len(split.test):,} test cases are known to the training part: {counts}.{left}"
    )
