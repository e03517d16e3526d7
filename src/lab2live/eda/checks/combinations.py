"""Two values that both occur, but never together (L4c)."""

from __future__ import annotations

from itertools import combinations as two_of

import numpy as np
from scipy import special

from lab2live.charter.schema import Charter
from lab2live.eda.checks.catalogue import Witness
from lab2live.eda.checks.findings import Finding, Skip, finding
from lab2live.eda.checks.levels import Levels, levels_of
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import agree, amount

# So many rows have to be expected in an empty cell, and chance empties it with less than this probability.
EXPECTED = 25.0
SURE = 1e-8
# A cell counts as empty with at most this share of what is expected: a few rows may be typing errors.
LEFT = 0.02
# In an otherwise plain table all other cells are within this distance of independence (natural logarithm of the
# ratio); where only one ratio is left to compare with, they are closer.
PLAIN, PLAIN_OF_ONE = 0.25, 0.15
# Cells with fewer expected rows say little about how plain a table is.
TELLING = 20.0
# More empty cells than these are how the table is built.
MOST_EMPTY = 2
ROUNDS = 25
MOST_COLUMNS = 12


def combination(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find pairs of values of two columns that never occur together though each is frequent.

    With an earlier extract: pairs that were there. Without: empty cells of a table in which everything else is as
    independent columns would have it; where columns depend on each other, empty cells are how things are.

    Returns
    -------
    list of Finding
        `value` is the number of rows expected.
    """
    columns = levels_of(survey)[:MOST_COLUMNS]
    earlier = {} if survey.earlier is None else {one.name: one for one in levels_of(survey.earlier)}
    found: list[Finding | Skip] = []
    for one, two in two_of(columns, 2):
        then = (earlier.get(one.name), earlier.get(two.name))
        if then[0] is not None and then[1] is not None:
            cells = _gone(one, two, then[0], then[1])
        else:
            cells = _odd(_crossed(one, two))
        if survey.complete or all(_empty(survey, one, two, row, column) for row, column, _ in cells):
            found += [_finding(survey, one, two, cell, then[0] is not None) for cell in cells]
    return found


def _finding(survey: Survey, one: Levels, two: Levels, cell: tuple[int, int, float], was: bool) -> Finding:
    row, column, expected = cell
    pair = f"{one.name} = {one.text(row)} and {two.name} = {two.text(column)}"
    why = (
        "the earlier extract lets expect"
        if was
        else f"{agree(round(expected), 'is', 'are')} to be expected from how frequent both are"
    )
    rows = amount(round(expected), "row")
    what = f"In {survey.name} {pair} never occur together, where about {rows} {why}{survey.basis}."
    examples = [f"{one.text(row)} + {two.text(column)}"]
    witness: Witness | None = "snapshot" if was else None
    check, name = "completeness.combination", survey.name
    return finding(check, name, one.name, "warn", expected, EXPECTED, what, None, examples, witness)


def _crossed(one: Levels, two: Levels) -> np.ndarray:
    known = (one.codes >= 0) & (two.codes >= 0)
    width = len(two.values)
    cells = np.bincount(one.codes[known] * width + two.codes[known], minlength=len(one.values) * width)
    return cells.reshape(len(one.values), width).astype(float)


def _gone(one: Levels, two: Levels, one_then: Levels, two_then: Levels) -> list[tuple[int, int, float]]:
    """Find cells that were filled before, and whose row and column are still there."""
    now, then = _crossed(one, two), _crossed(one_then, two_then)
    rows, columns = one_then.values.get_indexer(one.values), two_then.values.get_indexer(two.values)
    if not then.sum() or not now.sum():
        return []
    before = np.where((rows >= 0)[:, None] & (columns >= 0)[None, :], then[np.ix_(rows, columns)], 0.0)
    expected = before / then.sum() * now.sum()
    # if a value is rarer altogether, that is another finding
    kept = [now.sum(axis=axis) / np.maximum(expected.sum(axis=axis), 1) for axis in (0, 1)]
    expected *= np.minimum(1, np.minimum(kept[0][None, :], kept[1][:, None]))
    return _cells(now, expected)


def _cells(seen: np.ndarray, expected: np.ndarray) -> list[tuple[int, int, float]]:
    empty = (seen <= LEFT * expected) & (expected >= EXPECTED)
    empty &= special.pdtr(seen, np.maximum(expected, 1e-9)) < SURE / seen.size
    return [(int(row), int(column), float(expected[row, column])) for row, column in np.argwhere(empty)]


def _odd(seen: np.ndarray) -> list[tuple[int, int, float]]:
    """Find the one or two empty cells of a table that is otherwise as independent columns would have it."""
    total = seen.sum()
    if not total:
        return []
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / total
    empty = (seen <= LEFT * expected) & (expected >= EXPECTED / 2)
    free = (seen.shape[0] - 1) * (seen.shape[1] - 1) - int(empty.sum())
    if not 1 <= empty.sum() <= MOST_EMPTY or free < 1:
        return []
    fitted = _fitted(seen, empty)
    telling = ~empty & (fitted >= TELLING)
    away = np.abs(np.log(np.maximum(seen, 0.5) / np.maximum(fitted, 1e-9)))
    # small cells wander by chance
    away = np.maximum(0, away - 2 / np.sqrt(np.maximum(fitted, 1)))
    if away[telling].max(initial=0) > (PLAIN if free > 1 else PLAIN_OF_ONE):
        return []
    return [cell for cell in _cells(seen, fitted) if empty[cell[0], cell[1]]]


def _fitted(seen: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """Fit independence to all cells but the empty ones (quasi-independence, by iterative proportional fitting)."""
    row, column = np.ones(seen.shape[0]), np.ones(seen.shape[1])
    used, kept = (~empty).astype(float), np.where(empty, 0.0, seen)
    for _ in range(ROUNDS):
        row = kept.sum(axis=1) / np.maximum(used @ column, 1e-12)
        column = kept.sum(axis=0) / np.maximum(row @ used, 1e-12)
    return np.outer(row, column)


def _empty(survey: Survey, one: Levels, two: Levels, row: int, column: int) -> bool:
    """Ask the engine whether a pair that the sample lacks is missing altogether."""
    table = survey.table
    same = [table[side.name] == _plain(side.values[code]) for side, code in ((one, row), (two, column))]
    share = table.filter(same).count().execute() / survey.rows
    return bool(share * len(survey.sample) < 1)


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
