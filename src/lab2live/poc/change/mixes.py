"""What if other cases come (L2)? Kinds of cases made more frequent, by weights on those that are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import MISSING
from lab2live.data.intervals import Score, redraw, scores
from lab2live.data.splits import Split
from lab2live.eda.signal import quick
from lab2live.poc.change.disturbances import TRIED, importance
from lab2live.poc.change.robustness import MOST_ROWS, REACH, RESAMPLES

# The most columns, the frequent levels of a category, and the fewest cases that may stand for all.
MOST_COLUMNS, FREQUENT, FEWEST_EFFECTIVE = 8, 0.1, 50


@dataclass(frozen=True)
class Reweighted:
    """The score if some cases were more frequent: change against the test part as it is, with a 90 % interval."""

    title: str
    effective: float
    score: float
    change: float
    low: float
    high: float


def reweighted_table(found: Sequence[Reweighted], most: int = 10) -> pd.DataFrame:
    """Show which kinds of cases it would hurt most to have more of."""
    return pd.DataFrame(
        [
            {"what if": one.title, "score": one.score, "change": one.change, "from": one.low, "to": one.high}
            for one in found[:most]
        ]
    )


@quick.on_one_thread
def reweighted(
    charter: Charter,
    data: Dataset,
    split: Split,
    model: Any,
    score: Score,
    seed: int = 0,
    columns: Sequence[str] | None = None,
) -> list[Reweighted]:
    """Let one kind of cases weigh twice or three times as much as the others, and score again; the worst comes first.

    Parameters
    ----------
    columns
        Whose tails (a third of a number) and frequent levels grow; by default the most important ones of the model.
    """
    rows = splits.some(split.test, MOST_ROWS, seed)
    inputs, known = data.inputs.iloc[rows], data.outcome[rows]
    if columns is None:
        some = splits.some(split.train, TRIED, seed)
        learnt, outcome = models.inputs_of(model, data).iloc[some], data.outcome[some]
        columns = list(
            importance(lambda rows: models.answer(model, rows), learnt, list(data.columns.kinds), outcome, score, seed)
        )
    answers = models.answer(model, models.inputs_of(model, data).iloc[rows])
    drawn = redraw(seed, len(known), RESAMPLES, splits.groups(charter, data, rows), known)
    start, before, found = float(score(known, answers)), scores(score, known, answers, drawn), []
    for name in [name for name in columns if name in inputs][:MOST_COLUMNS]:
        for title, grows in _kinds_of_cases(name, inputs[name], data.columns.kinds[name] == "category"):
            for times in (2, 3):
                weights = np.where(grows, times, 1)
                effective = float(weights.sum() ** 2 / (weights**2).sum())
                if effective >= FEWEST_EFFECTIVE and 0 < grows.sum() < len(grows):
                    now = float(scores(score, known, answers, weights[None])[0])
                    spread = (scores(score, known, answers, drawn * weights) - before).std(ddof=1)
                    change, reach = now - start, REACH * float(spread)
                    said = f"{title} count {('twice', 'three times')[times - 2]}"
                    found.append(Reweighted(said, effective, now, change, change - reach, change + reach))
    return sorted(found, key=lambda item: item.change)


def _kinds_of_cases(name: str, column: pd.Series, is_category: bool) -> list[tuple[str, np.ndarray]]:
    if is_category:
        shares = column.value_counts(normalize=True).sort_index()
        levels = [level for level in shares.index[shares >= FREQUENT] if level != MISSING]
        return [(f"{name} {level}", (column == level).to_numpy()) for level in levels]
    low, high = column.quantile([1 / 3, 2 / 3])
    tails = (f"low {name}", (column <= low).to_numpy()), (f"high {name}", (column >= high).to_numpy())
    return [tail for tail in tails if tail[1].mean() <= 0.5]
