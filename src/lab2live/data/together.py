"""Which rows belong together although nobody said so: copies, and rows of what a column seems to name."""

from __future__ import annotations

import numpy as np
import pandas as pd

# A column that is nearly constant tells nothing about chance.
MOST_ALIKE = 0.9
# Pairs of equal rows are copies where more than this share of them cannot be explained by chance.
MOSTLY = 0.4
# Different rows, as a multiple of the root of their number: with fewer, rows are cells of a table rather than cases.
FEWEST_DIFFERENT = 2
# So many values of several rows each has a column that may name persons or devices.
MANY = 50
# Outcomes of rows that share a value differ by less than this part of what those of neighbouring values do, and by so
# many standard errors.
ALIKE, SURE = 0.8, 4.0


def copies(table: pd.DataFrame) -> np.ndarray | None:
    """Number rows so that equal ones have one number; `None` where chance explains that rows are equal.

    If C pairs of rows are copies, P are equal in all columns, and P' in all but one in which two rows are equal with
    probability q, then P = C + q (P' - C). The smallest of these estimates of C is taken, since columns may follow from
    each other.
    """
    random = np.random.default_rng(0)
    columns = [codes(column) for _, column in table.items()]
    hashes = [random.integers(0, 2**63, code.max() + 2, dtype=np.uint64)[code] for code in columns]
    rows, total = len(table), np.column_stack(hashes).sum(axis=1, dtype=np.uint64)
    pairs, different = _pairs(total)
    if not pairs or different < FEWEST_DIFFERENT * rows**0.5:
        return None
    copied = []
    for column in hashes:
        alike = _pairs(column)[0] / (rows * (rows - 1) / 2)
        if alike < MOST_ALIKE:
            copied.append((pairs - alike * _pairs(total - column)[0]) / (1 - alike))
    return pd.factorize(total)[0] if min(copied, default=0) > MOSTLY * pairs else None


def _pairs(hashes: np.ndarray) -> tuple[float, int]:
    counts = np.unique(hashes, return_counts=True)[1].astype(float)
    return float((counts * (counts - 1) / 2).sum()), len(counts)


def repeating(raw: pd.DataFrame, outcome: np.ndarray, classes: bool) -> dict[str, float]:
    """Find columns that seem to name what rows belong to, such as a person with several rows.

    Rows that share its value have more similar outcomes than rows of neighbouring values: of a measurement such as an
    income, neighbours are as similar.

    Returns
    -------
    dict
        Column -> how much outcomes differ among rows of one value, as a share of that among neighbouring values.
    """
    found: dict[str, float] = {}
    named: list[np.ndarray] = []
    # what stays the same for a person is no other question: names come first
    for name in sorted(raw, key=lambda name: pd.api.types.is_float_dtype(raw[name])):
        code = codes(raw[name])
        value, off = _steps(code, outcome, classes)
        same = np.diff(value) == 0
        times = np.bincount(value[:-1][same], minlength=value.max(initial=0) + 1)
        leaves = value[:-1][~same]  # each value but the last one once, and the step to the next one
        often = times[leaves] > 0
        if often.sum() < MANY:
            continue
        inside = (np.bincount(value[:-1][same], off[same], len(times))[leaves] / np.maximum(times[leaves], 1))[often]
        beside = off[~same][often]
        if _less(inside, beside) and not any(_follows(code, earlier) for earlier in named):
            named.append(code)
            found[str(name)] = float(inside.mean() / beside.mean())
    return found


def in_time(column: pd.Series, outcome: np.ndarray, classes: bool) -> bool:
    """Say whether outcomes of rows that are neighbours in time are more similar than those of any two rows."""
    value, off = _steps(codes(column), outcome, classes)
    mixed = np.random.default_rng(0).permutation(outcome)
    return len(np.unique(value)) > MANY and _less(off, _steps(np.arange(len(mixed)), mixed, classes)[1])


def _steps(code: np.ndarray, outcome: np.ndarray, classes: bool) -> tuple[np.ndarray, np.ndarray]:
    """Sort rows by a column: give their values, and how far apart the outcomes of one row and the next are."""
    order = np.argsort(code, kind="stable")[np.count_nonzero(code < 0) :]
    step = np.diff(outcome[order] if classes else pd.Series(outcome).rank().to_numpy()[order])
    return code[order], (step != 0).astype(float) if classes else step**2


def _follows(code: np.ndarray, other: np.ndarray) -> bool:
    """Say whether one code follows from the other."""
    return len(np.unique(other * (code.max() + 2) + code + 1)) == len(np.unique(other))


def _less(off: np.ndarray, others: np.ndarray) -> bool:
    error = np.sqrt(off.var() / len(off) + others.var() / len(others))
    return bool(off.mean() < min(ALIKE * others.mean(), others.mean() - SURE * error))


def codes(column: pd.Series) -> np.ndarray:
    """Number the values of a column in their order, -1 for missing."""
    try:
        return pd.factorize(column, sort=True)[0]
    except TypeError:  # values of several types, or lists
        return pd.factorize(column.map(str, na_action="ignore"), sort=True)[0]


def own_missing(code: np.ndarray) -> np.ndarray:
    """Let each row whose value is missing stand alone."""
    missing = code < 0
    return np.where(missing, code.max() + np.cumsum(missing), code)


def joined(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Number what belongs together by the one or by the other, or by both in turn."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    size = first.max() + 1
    nodes = size + second.max() + 1
    edges = coo_array((np.ones(len(first)), (first, size + second)), shape=(nodes, nodes))
    return np.asarray(connected_components(edges, directed=False)[1][first])
