"""Does the test part know the training part (P1)? What stands in both cannot test anything."""

from __future__ import annotations

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data import splits, together
from lab2live.data.dataset import Dataset
from lab2live.data.splits import Split
from lab2live.pipeline.evidence import Evidence


def shared(charter: Charter, data: Dataset, split: Split) -> Evidence:
    """Count the test cases that the training part knows already.

    Where the split goes by time, counted are cases from before the end of the training part, or before its labels were
    known; customers who come again later are what the model will meet. Else cases of a group or with an identifier that
    is in both, and copies of a training row, see `together.copies`: what is equal by chance is none.

    Where nobody has said whether rows belong together, or what came first, and outcomes look like it, the value is
    `None`: an open question.
    """
    prediction, raw = charter.prediction, data.raw
    found: dict[str, np.ndarray] = {}
    timed, asked = splits.clock(charter, data), splits.unanswered(charter, data)
    if timed is not None:
        when, delay = timed
        newest = when[split.train].max()
        until = "labels of the training part are known" if delay else "end of the training part"
        found[f"before the {until} by {prediction.time_column}"] = (when[split.test] <= newest) | (
            when[split.test] < newest + delay
        )
    else:
        for name in dict.fromkeys([prediction.group_column, prediction.id_column, asked]):
            if name in raw:
                both = raw[name].map(str, na_action="ignore")
                known = set(both.iloc[split.train].dropna())
                found[f"{name} is in both parts"] = both.iloc[split.test].isin(known).to_numpy()
        copies = np.arange(len(raw)) if data.copies is None else data.copies
        found["copies of a training row"] = np.isin(copies[split.test], copies[split.train])
    number = int(np.any(list(found.values()), axis=0).sum())
    if number:
        counts = "; ".join(f"{what} ({int(of.sum()):,})" for what, of in found.items() if of.any())
        return Evidence(
            number, f"{number:,} of {len(split.test):,} test cases are known to the training part: {counts}."
        )
    says = f"None of {len(split.test):,} test cases is known to the training part (looked at: {', '.join(found)})."
    questions = []
    if asked is not None:
        questions.append(
            f"Do the rows of one {asked} belong together? Their outcomes are alike; the split keeps them together "
            "until the charter says so (prediction.group_column or time_column; immutable, if neither)."
        )
    if timed is None:
        questions += [
            f"Does {name} say when a case was recorded? Neighbours in time have similar outcomes, and the test set is "
            "drawn at random (prediction.time_column; immutable, if not)."
            for name, kind in data.columns.kinds.items()
            if kind == "date" and name not in {*prediction.immutable, asked}
            if together.in_time(data.inputs[name], data.outcome, bool(data.classes))
        ]
    return Evidence(None if questions else 0, " ".join([says, *questions]))
