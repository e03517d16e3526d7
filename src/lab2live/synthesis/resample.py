"""Rows like those of a small sample: every column in turn drawn from the leaf of a tree over the columns before it.

Sequential CART after Reiter (2005), "Using CART to generate partially synthetic public use microdata". The cells are
those of the sample, in new combinations: the result is simulated, and not anonymous.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from lab2live.data.encoding import label
from lab2live.data.feature_types import as_days, as_numbers
from lab2live.data.sources.tables import key_text
from lab2live.synthesis.synthetic import distinct, new_ids

# Cells that share a leaf, at least: fewer would copy whole rows, more would lose what hangs together.
LEAF = 5
# Categories told apart as an outcome of a tree.
MOST_LEVELS = 30
# A text this different from row to row names something: it is made up anew.
NAMING = 0.9
COUNT, PLACE = "lab2live count", "lab2live place"


def like(
    sample: pd.DataFrame,
    random: np.random.Generator,
    rows: int,
    identifiers: Collection[str] = (),
    known: pd.DataFrame | None = None,
    new: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Draw rows like those of a sample.

    Parameters
    ----------
    sample
        Real rows.
    random, rows
        The source of chance, and how many rows to draw.
    identifiers
        Columns that name something: made up anew, like texts that hardly ever repeat.
    known, new
        What the rows also depend on, such as the columns of their parents: for those of the sample, and for those to
        be drawn. The same columns.

    Returns
    -------
    pandas.DataFrame
        The sample's columns in its order.
    """
    drawn: dict[str, pd.Series] = {}
    seen = [] if known is None else [_inputs(known[name], new[name]) for name in known]  # type: ignore[index]
    for name in sample.columns:
        column = sample[name]
        if name in identifiers or names_something(column):
            whole = pd.api.types.is_numeric_dtype(column)
            drawn[name] = pd.Series(distinct(rows, random) if whole else new_ids(str(name), rows, random))
            continue
        donors = _donors(column, seen, rows, random)
        drawn[name] = column.take(donors).reset_index(drop=True)
        seen.append(_inputs(column, drawn[name]))
    return pd.DataFrame(drawn, index=range(rows))


def children(
    sample: pd.DataFrame,
    parents: pd.DataFrame,
    new_parents: pd.DataFrame,
    keys: list[str],
    random: np.random.Generator,
    identifiers: Collection[str] = (),
) -> pd.DataFrame:
    """Draw the rows that belong to new parents: how many, and what they say, as it depends on the parent in the sample.

    Parameters
    ----------
    sample, parents
        Real rows of both sources; rows without a parent tell nothing and are left out.
    new_parents
        One row per key, with the columns of `parents`.
    keys
        The columns that join them.
    random
        The source of chance.
    identifiers
        See `like`.
    """
    parents, new_parents = (frame.drop_duplicates(keys).reset_index(drop=True) for frame in (parents, new_parents))
    about = [name for name in parents if name in new_parents and name not in {*keys, *identifiers}]
    linked = pd.merge(sample.reset_index(drop=True), parents[keys].assign(parent=range(len(parents))), on=keys)
    groups = linked.groupby("parent")
    family = pd.DataFrame({COUNT: groups.size().reindex(range(len(parents)), fill_value=0)})
    for name in [name for name in sample if name not in {*keys, *identifiers}]:
        # the rows of one parent are alike: what they have in common is drawn before them
        family[f"mean {name}"] = pd.Series(measure(linked[name]), index=linked.index).groupby(linked["parent"]).mean()
    drawn = like(family, random, len(new_parents), known=parents[about], new=new_parents[about])
    known, new = parents[about].join(family), new_parents[about].join(drawn)
    of = new.index.repeat(new[COUNT])
    rest = [name for name in sample.columns if name not in keys]
    # and which of them comes first: a row for every month stays one
    given = [
        frame.loc[rows].reset_index(drop=True).assign(**{PLACE: pd.Series(rows).groupby(rows).cumcount().to_numpy()})
        for frame, rows in ((known, linked["parent"].to_numpy()), (new, of.to_numpy()))
    ]
    frame = like(linked[rest], random, len(of), identifiers, *given)
    return new_parents.loc[of, keys].reset_index(drop=True).join(frame)[list(sample.columns)]


def new_keys(sample: pd.DataFrame, keys: list[str], rows: int, random: np.random.Generator) -> pd.DataFrame:
    """Make up keys that repeat as often as those of the sample."""
    sizes = sample.groupby(keys, sort=True).size().to_numpy()
    if not len(sizes) or sizes.max() == 1:
        group, groups = np.arange(rows), rows
    else:
        drawn = random.choice(sizes, rows)
        groups = int(np.searchsorted(drawn.cumsum(), rows)) + 1
        group = random.permutation(np.repeat(np.arange(groups), drawn[:groups])[:rows])
    made = {
        name: distinct(groups, random) if pd.api.types.is_numeric_dtype(sample[name]) else new_ids(name, groups, random)
        for name in keys
    }
    return pd.DataFrame(made).take(group).reset_index(drop=True)


def with_equal_keys(frames: Sequence[pd.DataFrame], keys: Sequence[str]) -> list[pd.DataFrame]:
    """Write keys as text where one silo keeps them as numbers and another as text."""
    texts = [name for name in keys if len({frame[name].dtype for frame in frames}) > 1]
    return [frame.assign(**{name: key_text(frame[name]) for name in texts}) for frame in frames]


def names_something(column: pd.Series) -> bool:
    """Say whether hardly any text of a column repeats: it names something."""
    filled = column.dropna()
    if column.dtype.kind in "iufbM" or len(filled) <= 20 or np.isfinite(measure(column)).any():
        return False
    return bool(filled.map(label).nunique() > NAMING * len(filled))


def measure(column: pd.Series) -> np.ndarray:
    """Read a column as a measure: its numbers, or its days; NaN all over where it is neither."""
    if column.dtype.kind in "iufb":
        return column.to_numpy(dtype=float)
    numbers = as_days(column) if pd.api.types.is_datetime64_any_dtype(column) else as_numbers(column)
    filled = column.notna().to_numpy()
    if np.isfinite(numbers[filled]).mean() < 0.8 if filled.any() else False:
        numbers = as_days(column)
        if np.isfinite(numbers[filled]).mean() < 0.8:
            return np.full(len(column), np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _inputs(known: pd.Series, new: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Bring a column of the sample, and the drawn one, into the form in which a tree splits them."""
    numbers = measure(known)
    if np.isfinite(numbers).any():
        again = measure(new)
        return numbers.clip(-1e30, 1e30), again.clip(-1e30, 1e30)
    texts = known.map(label, na_action="ignore")
    codes = {level: float(rank) for rank, level in enumerate(texts.value_counts(sort=True).index)}
    both = (texts, new.map(label, na_action="ignore"))
    first, second = (column.map(codes).to_numpy(dtype=float) for column in both)
    return first, second


def _outcomes(column: pd.Series) -> np.ndarray:
    """Bring a column into the form that a tree predicts: ranks of numbers or shares of levels, and what is missing."""
    numbers, missing = measure(column), column.isna().to_numpy(dtype=float)
    if np.isfinite(numbers).any():
        ranks = pd.Series(numbers).rank(pct=True).fillna(0.5).to_numpy()
        # the spread of ranks is that of a share near one half, so that both count alike
        return np.column_stack([ranks * np.sqrt(3), missing])
    texts = column.map(label, na_action="ignore")
    levels = texts.value_counts().index[:MOST_LEVELS]
    return np.column_stack([*((texts == level).to_numpy(dtype=float) for level in levels), missing])


def _donors(
    column: pd.Series, seen: list[tuple[np.ndarray, np.ndarray]], rows: int, random: np.random.Generator
) -> np.ndarray:
    """Choose for each new row a row of the sample whose cell it takes."""
    if not len(column):
        return np.zeros(0, dtype=int)
    if not seen or not rows:
        return random.integers(0, len(column), rows)
    from sklearn.tree import DecisionTreeRegressor

    known, new = (np.column_stack(side) for side in zip(*seen, strict=True))
    # a column without any value tells nothing, and trees do not take it
    useful = np.isfinite(known).any(axis=0)
    if not useful.any():
        return random.integers(0, len(column), rows)
    tree = DecisionTreeRegressor(min_samples_leaf=LEAF, random_state=int(random.integers(2**31)))
    tree.fit(known[:, useful], _outcomes(column))
    leaf, wanted = tree.apply(known[:, useful]), tree.apply(new[:, useful])
    order = np.argsort(leaf, kind="stable")
    starts, ends = (np.searchsorted(leaf[order], wanted, side=side) for side in ("left", "right"))
    return order[starts + (random.random(rows) * (ends - starts)).astype(int)]
