"""Do the people who label agree (L3)? Cohen's kappa and Krippendorff's alpha, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from lab2live.charter.schema import Charter
from lab2live.data.encoding import label
from lab2live.data.feature_types import as_numbers
from lab2live.eda.checks.findings import EXAMPLES, Finding, Severity, Skip, finding
from lab2live.reporting.formatting import amount

# Krippendorff (2004), "Content analysis", chapter 11: rely on 0.8 and above; below 0.667 draw no conclusions.
WARN, FAIL = 0.8, 0.667
BOOTSTRAPS = 200
BAND = (0.025, 0.975)
# A class that is hardly ever disagreed on needs cases to show it.
FEWEST = 20


def agreement(charter: Charter, columns: pd.DataFrame, source: str, seed: int = 0) -> list[Finding | Skip]:
    """Measure how well those who label agree beyond chance.

    Returns
    -------
    list of Finding
        `value` is Cohen's kappa where two people labelled every case with a class, else Krippendorff's alpha; a remark
        when they agree.
    """
    names = list(charter.prediction.annotators)
    there = [name for name in names if name in columns]
    if not names:
        return [Skip("label.agreement", source, "The charter names no annotators (prediction.annotators).")]
    if len(there) < 2:
        return [
            Skip("label.agreement", source, f"Agreement takes two annotators; there is {', '.join(there) or 'none'}.")
        ]
    numeric = charter.prediction.problem_type == "regression"
    values = _coded([columns[name] for name in there], numeric)
    several = np.isfinite(values).sum(axis=1) >= 2
    if several.sum() < FEWEST:
        reason = f"Only {int(several.sum())} cases were labelled twice; {FEWEST} are the fewest."
        return [Skip("label.agreement", source, reason)]
    rated = values[several]
    complete = np.isfinite(rated).all()
    kappa = cohen(rated[:, 0], rated[:, 1]) if len(there) == 2 and complete and not numeric else None
    alpha, resampled = krippendorff(rated, numeric, seed)
    value = alpha if kappa is None else kappa
    if not np.isfinite(value):
        return [Skip("label.agreement", source, "All labels are the same: nobody could have disagreed.")]
    low, high = np.nanquantile(resampled, BAND)
    apart = np.nanmax(rated, axis=1) != np.nanmin(rated, axis=1)
    severity: Severity = "fail" if value < FAIL else "warn" if value < WARN else "info"
    first = f"Cohen's kappa {kappa:.2f}, " if kappa is not None else ""
    what = (
        f"{', '.join(there)} in {source} label {int(apart.sum()):,} of {amount(len(rated), 'case')} "
        f"({apart.mean():.1%}) differently: {first}Krippendorff's alpha {alpha:.2f} ({low:.2f} to {high:.2f}); 1 is "
        f"perfect, 0 is chance."
    )
    if len(there) > 2 and severity != "info":
        what += f" {_odd_one(there, values, numeric)} agrees least with the others."
    shown = _disputed(charter, columns, there, np.flatnonzero(several)[apart][:EXAMPLES])
    target = charter.prediction.target
    return [finding("label.agreement", source, target, severity, value, WARN, what, int(apart.sum()), shown)]


def cohen(first: np.ndarray, second: np.ndarray) -> float:
    """Give Cohen's kappa (1960, "A coefficient of agreement for nominal scales"): agreement beyond that of chance."""
    classes = np.unique([first, second])
    chance = sum(float((first == one).mean() * (second == one).mean()) for one in classes)
    return float(((first == second).mean() - chance) / (1 - chance)) if chance < 1 else float("nan")


def krippendorff(values: np.ndarray, numeric: bool, seed: int) -> tuple[float, np.ndarray]:
    """Give Krippendorff's alpha and its bootstrap over cases.

    ``alpha = 1 - observed / expected`` disagreement, with the difference of two labels 0 or 1 for classes and their
    squared distance for numbers: Krippendorff (2004), "Content analysis", section 11.3.

    Parameters
    ----------
    values
        Shape (cases, annotators), NaN where somebody did not label; two or more labels per case.
    """
    known = np.isfinite(values)
    labels = known.sum(axis=1).astype(float)
    filled = np.where(known, values, 0.0)
    if numeric:
        filled -= np.where(known, filled[known].mean(), 0.0)
        sums, squares = filled.sum(axis=1), (filled**2).sum(axis=1)
        # all pairs of labels of a case: sum of (a - b)^2
        within = (2 * labels * squares - 2 * sums**2) / (labels - 1)
        parts = np.column_stack([labels, within, sums, squares])
    else:
        classes = np.unique(values[known])
        counts = np.column_stack([(values == one).sum(axis=1) for one in classes]).astype(float)
        within = (labels**2 - (counts**2).sum(axis=1)) / (labels - 1)
        parts = np.column_stack([labels, within, counts])
    weights = np.random.default_rng(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), BOOTSTRAPS)
    totals = np.vstack([parts.sum(axis=0), weights @ parts])
    number, observed = totals[:, 0], totals[:, 1] / totals[:, 0]
    if numeric:
        between = 2 * number * totals[:, 3] - 2 * totals[:, 2] ** 2
    else:
        between = number**2 - (totals[:, 2:] ** 2).sum(axis=1)
    with np.errstate(all="ignore"):
        alphas = np.where(between > 0, 1 - observed / (between / (number * (number - 1))), np.nan)
    return float(alphas[0]), alphas[1:]


def _coded(columns: Sequence[pd.Series], numeric: bool) -> np.ndarray:
    if numeric:
        found = np.column_stack([as_numbers(column) for column in columns])
        return np.where(np.isfinite(found), found, np.nan)
    written = pd.concat([column.map(label, na_action="ignore").astype(object) for column in columns])
    codes = pd.factorize(written)[0].astype(float)
    return np.where(codes < 0, np.nan, codes).reshape(len(columns), -1).T


def _odd_one(names: Sequence[str], values: np.ndarray, numeric: bool) -> str:
    """Name who agrees least with the others, by the mean over pairs."""
    scores: dict[str, list[float]] = {name: [] for name in names}
    for i, j in combinations(range(len(names)), 2):
        pair = values[:, [i, j]]
        pair = pair[np.isfinite(pair).all(axis=1)]
        score = krippendorff(pair, numeric, 0)[0] if len(pair) > 1 else float("nan")
        scores[names[i]].append(score)
        scores[names[j]].append(score)
    return min(names, key=lambda name: np.nan_to_num(np.nanmean([*scores[name], 1.0]), nan=1.0))


def _disputed(charter: Charter, columns: pd.DataFrame, names: Sequence[str], rows: np.ndarray) -> list[str]:
    key = next((name for name in charter.identifiers if name in columns), None)
    found = []
    for row in rows:
        said = " / ".join("–" if pd.isna(value) else label(value) for value in columns[list(names)].iloc[row])
        found.append(f"{label(columns[key].iloc[row])}: {said}" if key else said)
    return found
