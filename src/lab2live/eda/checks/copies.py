"""Rows that are equal in every column, told from events that coincide by chance (L4d)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.eda.checks.findings import EXAMPLES, Finding, Severity, Skip, finding
from lab2live.eda.checks.levels import factorized
from lab2live.eda.checks.pairs import SAMPLED_KEYS, rows_of
from lab2live.eda.checks.survey import Survey
from lab2live.reporting.formatting import agree, amount

# Below this share a few copies hardly move a model; above the other, the export itself is broken.
WARN, FAIL = 0.002, 0.20
FEWEST = 4
# Copies have to be that many times more frequent than chance explains: its estimate is rough.
BEYOND_CHANCE = 5
SURE = 1e-6
# How far two columns of one key may depend on each other in the estimate of chance.
MOST_ALIKE = 0.9
# Where no key says which rows belong together, those that are equal in all else may well do.
WITHOUT_KEY = 0.75


def copies(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find rows that are there several times.

    In large tables the rows of some values of the column with most values are looked at, all of them, since a sample
    of rows would part most copies from their originals.

    Returns
    -------
    list of Finding
        `value` is the share of rows that repeat an earlier one.
    """
    frame, basis = _rows(survey)
    if len(frame) < FEWEST or (survey.complete and _has_a_key(survey)):
        return []
    hashes = np.column_stack([hashes_of(frame[name], place) for place, name in enumerate(frame)])
    total = hashes.sum(axis=1, dtype=np.uint64)
    again = pd.Series(total).duplicated().to_numpy()
    surplus, share = int(again.sum()), float(again.mean())
    if surplus < FEWEST or share <= WARN:
        return []
    key = list(frame).index(survey.key) if survey.key else None
    expected = by_chance(hashes, total, surplus, key)
    if surplus <= BEYOND_CHANCE * expected or stats.poisson.sf(surplus - 1, expected) > SURE:
        return []
    rows = surplus if survey.complete else round(share * survey.rows)
    about = "" if survey.complete else "about "
    repeat = agree(rows, "repeats", "repeat")
    what = f"{about}{amount(rows, 'row')} of {survey.name} ({share:.1%}) {repeat} another row in every column{basis}."
    what = what[0].upper() + what[1:]
    shown = frame.loc[again].head(EXAMPLES)
    named = shown[survey.key].astype(str) if survey.key else shown.astype(str).agg(", ".join, axis=1)
    severity: Severity = "fail" if share > FAIL else "warn"
    return [finding("duplicate.rows", survey.name, None, severity, share, WARN, what, rows, named)]


def _rows(survey: Survey) -> tuple[pd.DataFrame, str]:
    """Give all rows of a small table; of a large one all that share a value with the sample in one column."""
    if survey.complete:
        return survey.sample, ""
    plain = [name for name, known in survey.facts.items() if known.kind in ("number", "text", "date")]
    if not plain:
        return survey.sample.head(0), ""
    name = max(plain, key=lambda one: survey.facts[one].distinct)
    wanted = survey.sample[name].dropna().drop_duplicates()
    wanted = wanted.sample(min(SAMPLED_KEYS, len(wanted)), random_state=0)
    basis = f" (in all rows of {amount(len(wanted), 'value')} of {name})"
    return rows_of(survey, name, wanted).reset_index(drop=True), basis


def _has_a_key(survey: Survey) -> bool:
    """Say whether some column is different in every row: then no two rows are equal."""
    return any(known.distinct == survey.rows for known in survey.facts.values())


def hashes_of(column: pd.Series, seed: int) -> np.ndarray:
    """Give every value a random number, equal values the same one; other numbers for every seed."""
    codes, values = factorized(column)
    numbers = np.random.default_rng(seed).integers(0, 2**63, len(values) + 1, dtype=np.uint64)
    return np.asarray(numbers[codes], dtype=np.uint64)


def by_chance(hashes: np.ndarray, total: np.ndarray, surplus: int, key: int | None) -> float:
    """Estimate how many rows coincide by chance, from those that coincide in all columns but one.

    If `m` rows are equal to another but for column j, and two values of j are equal with probability q, then about
    m q / (1 - q) rows are equal in j as well. The largest of these estimates is taken: a column that follows from the
    others says nothing. Rows of one key are more alike than others: q is taken among them where there is a key.
    """
    most = 0.0
    beside = np.zeros(0, dtype=np.intp)
    if key is not None:
        ordered = np.argsort(hashes[:, key], kind="stable")
        same = (hashes[ordered[1:], key] == hashes[ordered[:-1], key]) & (total[ordered[1:]] != total[ordered[:-1]])
        before, beside = ordered[:-1][same], ordered[1:][same]
    for column in range(hashes.shape[1]):
        near = len(total) - len(np.unique(total - hashes[:, column])) - surplus
        if near <= 0:
            continue
        shares = np.unique(hashes[:, column], return_counts=True)[1] / len(total)
        alike = float((shares**2).sum())
        if len(beside) and column != key:
            alike = max(alike, float((hashes[before, column] == hashes[beside, column]).mean()))
        if key is None:
            alike = max(alike, WITHOUT_KEY)
        alike = min(MOST_ALIKE, alike)
        most = max(most, near * alike / (1 - alike))
    return most
