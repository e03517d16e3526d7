"""Can the outcomes be trusted (L3)? Wrong ones, disputed ones, and those that are not final yet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import label
from lab2live.data.feature_types import as_numbers
from lab2live.data.sources import tables
from lab2live.eda.checks.findings import EXAMPLES, JOINED, Finding, Severity, Skip, finding
from lab2live.eda.checks.survey import Survey
from lab2live.eda.signal import agreed, maturity, mislabelled, quick
from lab2live.errors import UserError
from lab2live.reporting.formatting import agree, amount

# Above the first share wrong outcomes hurt; above the second nothing can be learnt from them.
WARN, FAIL = mislabelled.LEAST_SHARE, 0.30
# Outcomes that changed between two extracts: one in a thousand is a correction here and there.
CHANGED = 0.001
FEWEST_CHANGED = 3
# What two ways of storing a number may differ by.
SAME_NUMBER = 1e-6
# Rows to review: no more than somebody can look at.
MOST_ROWS = 500
# How the number of a row is called where nothing else names a case.
ROW = "row"


@quick.on_one_thread
def labels(
    charter: Charter, data: Dataset, table: pd.DataFrame, surveys: Sequence[Survey], seed: int = 0
) -> list[Finding | Skip]:
    """Look for outcomes that are wrong, disputed, or too young.

    Parameters
    ----------
    charter
        Names target, annotators, time column and label delay.
    data
        The cases with a known outcome.
    table
        The joined table that `data` was made of.
    surveys
        The sources, with their earlier extracts where the charter names them.
    seed
        Of everything that is drawn.
    """
    columns = dataset.labelled(charter, table)
    source = home(charter, surveys)
    found = quick.guarded("label.noise", lambda: noise(charter, data, columns, source, seed))
    for survey in surveys:
        found += quick.guarded("label.noise", lambda: changed(charter, data, survey))  # noqa: B023  called at once
    found += quick.guarded("label.agreement", lambda: agreed.agreement(charter, columns, source, seed))
    found += quick.guarded("label.not_matured", lambda: maturity.immature(charter, data, columns, source))
    return found


def home(charter: Charter, surveys: Sequence[Survey]) -> str:
    """Name the source that the target comes from: the base, where several have it."""
    names = [survey.name for survey in surveys if charter.prediction.target in survey.facts]
    return charter.base.name if charter.base.name in names else names[0] if names else JOINED


def noise(charter: Charter, data: Dataset, columns: pd.DataFrame, source: str, seed: int = 0) -> list[Finding | Skip]:
    """Find outcomes that were noted down wrongly, see `mislabelled.errors`; which ones, only somebody can say.

    Returns
    -------
    list of Finding
        `value` is the estimated share of wrong outcomes, `rows` the estimated number in the whole table.
    """
    wrong = mislabelled.errors(charter, data, seed)
    if wrong is None:
        return []
    severity: Severity = "fail" if wrong.share > FAIL else "warn"
    basis = "" if len(wrong.rows) == len(data.outcome) else f" (in a sample of {len(wrong.rows):,} of them)"
    about = round(wrong.share * len(data.outcome))
    target = charter.prediction.target
    what = (
        f"About {amount(about, 'outcome')} of {target} ({wrong.share:.0%}) in {source} "
        f"{agree(about, 'contradicts its', 'contradict their')} columns where nothing speaks for them: more than "
        f"uncertainty explains{basis}."
    )
    worst = wrong.rows[np.argsort(-wrong.doubt, kind="stable")][:EXAMPLES]
    return [
        finding(
            "label.noise", source, target, severity, wrong.share, WARN, what, about, _named(charter, columns, worst)
        )
    ]


def _named(charter: Charter, columns: pd.DataFrame, rows: np.ndarray) -> list[str]:
    name = next((name for name in charter.identifiers if name in columns), None)
    return (
        [f"row {row + 1:,}" for row in rows] if name is None else [label(value) for value in columns[name].iloc[rows]]
    )


def changed(charter: Charter, data: Dataset, survey: Survey) -> list[Finding | Skip]:
    """Find outcomes that an earlier extract of the same source has otherwise.

    From negative to positive is what outcomes do: a remark. The way back is a correction, or an error.
    """
    target, before = charter.prediction.target, survey.earlier
    if (
        before is None
        or survey.key is None
        or not {target, survey.key} <= set(before.facts)
        or target not in survey.facts
    ):
        return []
    then, now = (_by_key(one.sample, survey.key, target) for one in (before, survey))
    both = then.index.intersection(now.index)
    was, is_ = then.loc[both], now.loc[both]
    if data.classes:
        was, is_ = was.map(label), is_.map(label)
        other = (was != is_).to_numpy()
        known = data.problem == "binary"
        grown = other & (is_ == data.classes[-1]).to_numpy() if known else np.zeros(len(both), dtype=bool)
    else:
        old, new = as_numbers(was), as_numbers(is_)
        other = np.abs(old - new) > SAME_NUMBER * np.maximum(1, np.abs(old))
        grown = np.zeros(len(both), dtype=bool)
    wrong, share = other & ~grown, float((other & ~grown).mean()) if len(both) else 0.0
    if not other.any():
        return []
    sure = wrong.sum() >= FEWEST_CHANGED and share > CHANGED
    counted = wrong if sure else other
    severity: Severity = "info" if not sure else "fail" if share > FAIL else "warn"
    ways = f"; {int(grown.sum()):,} more became {data.classes[-1]}" if sure and grown.any() else ""
    what = (
        f"{amount(int(counted.sum()), 'outcome')} of {target} in {survey.name} ({counted.mean():.1%} of those that "
        f"both have) {agree(counted.sum(), 'was', 'were')} different in the earlier extract{ways}{survey.basis}."
    )
    shown = [f"{key}: {was.loc[key]} -> {is_.loc[key]}" for key in both[counted][:EXAMPLES]]
    rows = int(counted.sum()) if survey.complete else None
    value = share if sure else float(other.mean())
    return [finding("label.noise", survey.name, target, severity, value, CHANGED, what, rows, shown, "snapshot")]


def _by_key(frame: pd.DataFrame, key: str, target: str) -> pd.Series:
    """Give the outcome by key; keys that are there twice say nothing."""
    known = frame[[key, target]].dropna()
    outcome = pd.Series(known[target].to_numpy(), index=known[key].map(label))
    return outcome[~outcome.index.duplicated(keep=False)]


@quick.on_one_thread
def review(charter: Charter, data: Dataset, table: pd.DataFrame, seed: int = 0) -> tuple[pd.DataFrame, str]:
    """List the cases whose outcome is the least expected, for somebody to look at: most are right all the same.

    Of classes, a case is listed when a model that has not seen it gives another class more than it usually gives cases
    of that class: Northcutt, Jiang and Chuang (2021), "Confident learning". Of numbers, when it is beyond three times
    the interquartile range of all that predictions are off by.

    Returns
    -------
    listed, sentence
        Identifiers (or, where these do not tell cases apart, the row as well), the outcome, what was expected and how
        likely the outcome was (or how far off); the least expected first, at most `MOST_ROWS`. The sentence says how
        many, or why there are none.
    """
    small = quick.drawn(charter, data, mislabelled.ROWS, seed)
    everyone, inputs = dataset.labelled(charter, table), quick.matrix(small)
    columns = everyone.iloc[small.inputs.index]
    learner = quick.learner(small, len(inputs), seed)
    try:
        said = quick.out_of_fold(charter, small, inputs, learner, mislabelled.FOLDS, seed)
    except UserError as error:
        return pd.DataFrame(), f"Nobody can say which outcomes are worth a second look: {error.problem}"
    target = charter.prediction.target
    named = [name for name in charter.identifiers if name in columns]
    listed, which = columns[named].reset_index(drop=True), ""
    if not named or everyone[named].duplicated().any():
        listed.insert(0, ROW, np.flatnonzero(dataset.known(charter, table))[small.inputs.index] + 1)
        which = f" {_counted(charter, table)}"
    if small.classes:
        chances = np.column_stack([1 - said, said]) if said.shape[1] == 1 else said
        own = chances[np.arange(len(chances)), small.outcome]
        usual = pd.Series(own).groupby(small.outcome).mean().to_numpy()
        beyond = np.where(chances >= usual, chances, -np.inf)
        beyond[np.arange(len(chances)), small.outcome] = -np.inf
        doubted = np.isfinite(beyond.max(axis=1)) & (own < 0.5)
        names = np.array(small.classes, dtype=object)
        listed[target], listed["expected"] = names[small.outcome], names[np.nan_to_num(chances).argmax(axis=1)]
        listed["probability of the outcome"] = own.round(4)
        order = own
    else:
        known = table[target].dropna().reset_index(drop=True).iloc[small.inputs.index]
        off = small.outcome - said[:, 0]
        low, high = np.nanquantile(off, [0.25, 0.75])
        doubted = (off < low - 3 * (high - low)) | (off > high + 3 * (high - low))
        listed[target], listed["rank"] = known.to_numpy(), small.outcome.round(4)
        listed["expected rank"] = said[:, 0].round(4)
        order = -np.abs(off)
    rows = np.flatnonzero(doubted)
    worst = listed.iloc[rows[np.argsort(order[rows], kind="stable")][:MOST_ROWS]].reset_index(drop=True)
    return worst, (
        f"{len(rows):,} of {amount(len(small.outcome), 'case')} looked at {agree(len(rows), 'has', 'have')} an outcome "
        f"that {agree(len(rows), 'its', 'their')} columns do not suggest. Most are right all the same: the "
        f"{len(worst):,} least expected are listed for somebody to look at.{which}"
    )


def _counted(charter: Charter, table: pd.DataFrame) -> str:
    """Say what the rows of the joined table are: those of its base, unless it is a sample or something made others.

    A left join keeps the rows of its base in their order, so that as many rows are the same ones.
    """
    same = not charter.base.aggregate and (charter.join is None or charter.join.how == "left")
    if same and tables.read(charter, charter.base).rows == len(table):
        return f"`{ROW}` is the row in {charter.base.name}: 1 is the first one below the header."
    return f"`{ROW}` counts the rows of the joined table from 1: they are not those of {charter.base.name}."
