"""Identifiers and row order that know the outcome (L3): numbers given in the order of events."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy import stats

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Dataset
from lab2live.data.encoding import label
from lab2live.data.feature_types import COUNTS_ROWS, NEARLY_UNIQUE, as_numbers
from lab2live.eda.checks.findings import EXAMPLES, JOINED, Finding, Severity, Skip, finding
from lab2live.eda.signal import quick

ROWS = 8_000
FOLDS = 4
# Ranks are looked at in so many stretches of equal length.
STRETCHES = 20
FEWEST = 100
# Correlation ratio with what the columns leave unexplained: 0.2 is a ranking of about 0.65 (ROC AUC).
WARN = 0.20
# Neighbouring rows: correlation of what the columns leave unexplained.
NEIGHBOURS = 0.20
SURE = 1e-6
# What names cases names nearly all of them.
FILLED = 0.95
# Text before and after the number of an identifier may be a code by itself.
MOST_CODES = 50
LONGEST_NUMBER = 15
NAMED = re.compile(r"(^|_|\b|[a-z])(id|no|nr|num|number|key|code|uuid|guid|index)$", re.IGNORECASE)


def knows(
    charter: Charter, data: Dataset, columns: pd.DataFrame, origin: Mapping[str, str], seed: int
) -> list[Finding | Skip]:
    """Find identifiers, and the order of the rows, that know more of the outcome than the columns explain.

    Numbers are often given in the order of time, and time may matter honestly: only what the columns leave unexplained
    counts.

    Returns
    -------
    list of Finding
        `value` is the correlation ratio of that rest with the identifier.
    """
    small = quick.drawn(charter, data, ROWS, seed)
    if len(small.outcome) < FEWEST:
        return [Skip("leakage.identifier", JOINED, f"Fewer than {FEWEST} cases are too few to see an order in them.")]
    identifiers = _identifiers(charter, small, columns)
    inputs = quick.matrix(small)[:, [name not in identifiers for name in small.columns.kinds]]
    truth = quick.truth(small)
    rest = truth - truth.mean(axis=0)
    if inputs.shape[1]:
        model = quick.learner(small, len(inputs), seed)
        answers = quick.out_of_fold(charter, small, inputs, model, FOLDS, seed)
        rest = np.where(np.isfinite(answers), truth - answers, rest)
    found: list[Finding | Skip] = []
    places = small.inputs.index.to_numpy()
    ranks = []
    for name in identifiers:
        for how, codes in _readings(columns[name].iloc[places]):
            ratio = _ratio(codes, truth, rest)
            if ratio > WARN:
                ranks.append(codes)
                seen = name in small.columns.kinds
                more = " The models see it." if seen else ""
                what = (
                    f"{name} knows the outcome by {how}: {ratio:.2f} on a scale from 0 to 1, beyond what the other "
                    f"columns explain.{more}"
                )
                shown = columns[name].iloc[places[np.argsort(codes, kind="stable")][:EXAMPLES]].map(label)
                severity: Severity = "fail" if seen else "warn"
                source = origin.get(name, JOINED)
                found.append(finding("leakage.identifier", source, name, severity, ratio, WARN, what, None, shown))
                break
    return found + ([] if ranks else _rows(charter, places, truth, rest))


def _identifiers(charter: Charter, small: Dataset, columns: pd.DataFrame) -> list[str]:
    """Name what numbers cases: the charter's identifiers, what has a value of its own everywhere, what is called so."""
    named = [name for name in charter.identifiers if name in columns]
    apart = {charter.prediction.group_column, *charter.prediction.annotators}
    for name in map(str, columns):
        numbered = small.columns.left_out.get(name) in (COUNTS_ROWS, NEARLY_UNIQUE)
        like_one = bool(NAMED.search(str(name))) and columns[name].nunique() > 0.9 * len(columns)
        filled = columns[name].notna().mean() >= FILLED
        if name not in named and name not in apart and filled and (numbered or like_one):
            named.append(name)
    return named


def _readings(column: pd.Series) -> Iterator[tuple[str, np.ndarray]]:
    """Give the ways in which an identifier can be read, each as the number of a part of the cases."""
    numbers = as_numbers(column) if pd.api.types.is_numeric_dtype(column) else np.full(len(column), np.nan)
    text = column.map(label, na_action="ignore").astype(object).where(column.notna(), "")
    if np.isnan(numbers).all():
        yield "its place in the alphabet", _stretches(pd.Series(pd.factorize(text, sort=True)[0]))
        digits = text.str.replace(r"\D", "", regex=True).str[-LONGEST_NUMBER:]
        numbers = np.asarray(pd.to_numeric(digits, errors="coerce"), dtype=float)
        letters, codes = pd.factorize(text.str.replace(r"[\d\W_]", "", regex=True))
        if 2 <= len(codes) <= MOST_CODES:
            yield "its letters", letters
    if np.isfinite(numbers).any():
        yield "its number", _stretches(pd.Series(numbers))
        with np.errstate(all="ignore"):
            yield "its last digit", np.where(np.isfinite(numbers), np.abs(numbers) % 10, -1).astype(int)


def _stretches(values: pd.Series) -> np.ndarray:
    ranks = values.rank(method="first").fillna(0).to_numpy()
    return np.asarray(ranks * STRETCHES // (len(values) + 1), dtype=int)


def _ratio(codes: np.ndarray, truth: np.ndarray, rest: np.ndarray) -> float:
    """Give the correlation ratio of the rest with parts of the cases, 0 when it is not sure or not in the outcome.

    The ratio (Pearson's eta) is the root of the share of variance between the parts; chance gives `parts - 1` in
    `rows`, which is taken off.
    """
    best = 0.0
    for k in range(truth.shape[1]):
        shares = [_between(codes, values[:, k]) for values in (truth, rest)]
        parts, rows = len(np.unique(codes)), len(codes)
        p = stats.chi2.sf(rows * shares[1], parts - 1)
        if p < SURE:
            best = max(best, float(np.sqrt(max(0.0, min(shares) - (parts - 1) / rows))))
    return best


def _between(codes: np.ndarray, values: np.ndarray) -> float:
    grouped = pd.Series(values).groupby(codes)
    sizes, means = grouped.size().to_numpy(), grouped.mean().to_numpy()
    total = float(((values - values.mean()) ** 2).sum())
    return float((sizes * (means - values.mean()) ** 2).sum() / total) if total > 0 else 0.0


def _rows(charter: Charter, places: np.ndarray, truth: np.ndarray, rest: np.ndarray) -> list[Finding | Skip]:
    """Look at the order of the rows: sorted by the outcome, or in clusters of it."""
    order = np.argsort(places)
    ratio = _ratio(_stretches(pd.Series(places)), truth, rest)
    if ratio > WARN:
        what = f"The order of the rows knows the outcome: {ratio:.2f} from 0 to 1, beyond what the columns explain."
    else:
        if charter.prediction.group_column is not None:  # rows of a group stand together, and splits keep them so
            return []
        ratio = max(_beside(values[order, k]) for values in (rest,) for k in range(truth.shape[1]))
        ratio = min(ratio, max(_beside(truth[order, k]) for k in range(truth.shape[1])))
        if ratio <= NEIGHBOURS or stats.norm.sf(ratio * np.sqrt(len(order))) > SURE:
            return []
        what = (
            f"Rows beside each other have the same outcome more often than the columns explain (correlation "
            f"{ratio:.2f}): they belong together, and the charter names no prediction.group_column."
        )
    return [finding("leakage.identifier", charter.base.name, None, "warn", ratio, WARN, what)]


def _beside(values: np.ndarray) -> float:
    centred = values - values.mean()
    total = float((centred**2).sum())
    return float((centred[1:] * centred[:-1]).sum() / total) if total > 0 else 0.0
