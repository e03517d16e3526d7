"""A check that reasons can fail: features of pure chance weigh little.

After the shuffled columns of Boruta (Kursa and Rudnicki 2010). It refits the chosen model with its own settings, on a
stated part of the training cases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lab2live.data import models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import Columns
from lab2live.explainability.why import reasons
from lab2live.explainability.why.contributions import Background, Reasons
from lab2live.explainability.why.families import families
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import plots
from lab2live.reporting.formatting import amount

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Explain = Callable[[Any, Columns, pd.DataFrame, Background], Reasons]

# Cases that a refit learns from, and cases that are explained with it: both checks are about differences that a few
# thousand cases show, and have to be done in seconds. A wide table gets fewer, as each column costs the same again.
MOST_LEARNT, MOST_EXPLAINED = 5_000, 500
# Of an own candidate, whose contributions may have to be sampled.
FEWEST_EXPLAINED = 100
MOST_CELLS = 300_000
FEWEST_LEARNT = 500
# Refits of each check, and shuffled copies of a column in each: one shuffle may look like the truth by chance.
DRAWS, COPIES = 2, 2
NOTHING = "The model says the same of every case: it has no reasons that could change."


@dataclass(frozen=True)
class Probes:
    """How much columns of pure chance weigh.

    Attributes
    ----------
    share
        Weight of the heaviest of them, against the heaviest real column; `None` if it could not be computed.
    ranking
        Columns `column`, `weight` (against the heaviest real column), `chance` (whether it is one of pure chance).
    weak
        Real columns that weigh no more than the heaviest one of pure chance.
    message
        In words.
    """

    share: float | None
    ranking: pd.DataFrame
    weak: tuple[str, ...]
    message: str

    @property
    def evidence(self) -> Evidence:
        """Give the weight of pure chance, with what it is held against."""
        kept = {"probe_share": self.share, "no_heavier_than_chance": self.weak}
        return Evidence(self.share, self.message, figure=None if self.share is None else chart(self), data=kept)


def probes(
    data: Dataset,
    model: Any,
    train: np.ndarray,
    rows: np.ndarray,
    seed: int,
    derived: Mapping[str, str] | None = None,
    explain: Explain = reasons.explain,
) -> Probes:
    """Add shuffled copies of a number and of a category, fit again and weigh all columns.

    A candidate of the project's own chooses its columns itself and would not look at more of them: there the number
    and the category are shuffled in their place, each fit without what they say.

    A shuffled copy has the values of a real column and nothing to do with the outcome. What a model makes of it is what
    it makes of chance: a real column that weighs no more need not be believed. The number and the category are those
    with the most different values, as those leave chance the most room; of all their shuffles the heaviest one counts.

    Parameters
    ----------
    data, model
        The chosen pipeline, fitted.
    train, rows
        Row numbers to learn from, and of cases to explain.
    seed
        Of all shuffles.
    explain
        What is put to the test.
    derived
        As in the charter: such columns are weighed together with their sources.
    """
    from sklearn.base import clone

    learn, rows = drawn(data, train, seed), splits.some(rows, MOST_EXPLAINED, seed)
    nothing = pd.DataFrame({"column": [], "weight": [], "chance": []})
    why = _too_few(data, learn)
    if why:
        return Probes(None, nothing, (), why)
    if models.is_own(model):
        copies = {name: name for name in _copies(data, learn).values()}
        columns, again, rows = data.columns, model, rows[:FEWEST_EXPLAINED]
    else:
        copies = _copies(data, learn)
        columns = _with_copies(data.columns, copies)
        again = _with_columns(model, columns)
    everyone = np.concatenate([learn, rows])
    both = models.inputs_of(model, data).iloc[everyone].reset_index(drop=True)
    first, last = np.arange(len(learn)), np.arange(len(learn), len(both))
    together = families(reasons.names(model, columns), {} if models.is_own(model) else derived or {})
    random = np.random.default_rng(seed)
    draws = []
    for _ in range(DRAWS):
        inputs = both.copy()
        for name, source in copies.items():
            inputs[name] = random.permutation(both[source].to_numpy())
        fake = replace(data, raw=inputs, inputs=inputs, outcome=data.outcome[everyone], columns=columns)
        refit = models.fit(clone(again), fake, first)
        background = reasons.background(refit, inputs.iloc[first])
        draws.append(_weights(explain(refit, columns, inputs.iloc[last], background).of_families(together)))
    weights = pd.concat(draws, axis=1)
    by_chance = np.array([name in copies for name in weights.index])
    weighed = weights.mean(axis=1).where(~by_chance, weights.max(axis=1)).to_numpy(dtype=float)
    top = float(weighed[~by_chance].max())
    if not top:
        return Probes(None, nothing, (), NOTHING)
    ranking = pd.DataFrame({"column": weights.index, "weight": weighed / top})
    ranking["chance"] = by_chance
    ranking = ranking.sort_values(["weight", "column"], ascending=[False, True], ignore_index=True)
    share = float(ranking.loc[ranking["chance"], "weight"].max())
    weak = tuple(ranking.loc[~ranking["chance"] & (ranking["weight"] <= share), "column"])
    return Probes(share, ranking, weak, _said(ranking, share, weak, len(learn)))


def _said(ranking: pd.DataFrame, share: float, weak: tuple[str, ...], learnt: int) -> str:
    place = int(ranking["chance"].to_numpy().argmax()) + 1
    said = (
        f"The heaviest column of pure chance comes {_ordinal(place)} of {len(ranking)} and weighs {share:.0%} of the "
        f"heaviest real one ({DRAWS} shuffles, {amount(learnt, 'case')})."
    )
    if not weak:
        return f"{said} Every real column weighs more."
    names = ", ".join(weak[:6]) + (f" and {len(weak) - 6} more" if len(weak) > 6 else "")
    return f"{said} No heavier than chance: {names}."


def drawn(data: Dataset, train: np.ndarray, seed: int) -> np.ndarray:
    """Draw the training cases for a refit: few enough to take seconds, rare classes kept as far as there is room."""
    width = len(data.columns.numbers) + sum(map(len, data.columns.levels.values()))
    room = min(MOST_LEARNT, max(FEWEST_LEARNT, MOST_CELLS // width))
    if len(train) <= room or not data.classes:
        return splits.some(train, room, seed)
    return train[np.sort(splits.in_turn(data.outcome[train], np.random.default_rng(seed))[:room])]


def _too_few(data: Dataset, learn: np.ndarray) -> str:
    counts = np.bincount(data.outcome[learn], minlength=len(data.classes)) if data.classes else np.array([len(learn)])
    if counts.min() >= splits.FEWEST:
        return ""
    return f"Too few cases to fit the model again: {amount(int(counts.min()), 'case')} of the rarest outcome."


def _weights(found: Reasons) -> pd.Series:
    """Weigh columns by the average size of their reasons in margin space, over all outputs."""
    return pd.Series(np.abs(found.each).mean(axis=(0, 2)), index=list(found.columns))


def _copies(data: Dataset, learn: np.ndarray) -> dict[str, str]:
    """Name the columns to add, after the one whose values they have."""
    different = data.inputs.iloc[learn].nunique()
    kinds = (data.columns.numbers, data.columns.categories)
    most = [str(different[names].idxmax()) for names in kinds if names]
    named = {
        f"shuffled {name}{f' ({copy})' if copy > 1 else ''}": name for name in most for copy in range(1, COPIES + 1)
    }
    while any(name in data.columns.kinds for name in named):
        named = {f"{name}'": source for name, source in named.items()}
    return named


def _with_copies(columns: Columns, copies: Mapping[str, str]) -> Columns:
    levels = {name: columns.levels[source] for name, source in copies.items() if source in columns.levels}
    kinds = {name: columns.kinds[source] for name, source in copies.items()}
    return Columns({**columns.kinds, **kinds}, {**columns.levels, **levels})


def _with_columns(model: Any, columns: Columns) -> Any:
    """Give the pipeline as it was before it was fitted, for more columns."""
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline

    last = clone(model[-1])
    return Pipeline([("encode", models.encoder(columns, impute=hasattr(model[-1], "coef_"))), ("model", last)])


def chart(probes: Probes, most: int = 12) -> Figure:
    """Draw what columns weigh against those of pure chance."""
    top = probes.ranking.head(most)
    shown = pd.concat([top, probes.ranking[probes.ranking["chance"]]]).drop_duplicates("column")
    labels = [
        f"{name} (pure chance)" if chance else name
        for name, chance in zip(shown["column"], shown["chance"], strict=True)
    ]
    title = (
        "Columns of pure chance weigh little"
        if not probes.weak
        else f"{amount(len(probes.weak), 'column')} no heavier than chance"
    )
    return plots.bars(
        labels,
        shown["weight"].tolist(),
        title,
        "weight, heaviest real column = 100 %",
        limit=probes.share,
        limit_label="chance",
        percent=True,
    )


def _ordinal(place: int) -> str:
    """A place in an order.

    Examples
    --------
    >>> [_ordinal(place) for place in (1, 2, 3, 6, 11, 13, 21, 112)]
    ['1st', '2nd', '3rd', '6th', '11th', '13th', '21st', '112th']
    """
    teens = place % 100 in (11, 12, 13)
    return f"{place}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(place % 10, 'th')}"
