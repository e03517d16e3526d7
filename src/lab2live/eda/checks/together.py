"""Rows whose values do not go together (L4b), each of them plausible alone."""

from __future__ import annotations

import numpy as np
from scipy import special

from lab2live.charter.schema import Charter
from lab2live.eda.checks.findings import Finding, Skip, finding
from lab2live.eda.checks.survey import Survey
from lab2live.eda.checks.tails import explained, normal_scores
from lab2live.reporting.formatting import amount

MOST_ROWS = 20_000
FEWEST_ROWS = 200
# A column of fewer different values is told by its residuals nothing.
FEW_LEVELS = 20
# ... nor one in which a single value (a zero, mostly) is more frequent than this.
TIED = 0.1
# Categories that help to predict: of at most this many levels, each with this many rows.
MOST_LEVELS = 20
RAREST = 20
MOST_COLUMNS = 40
# The others must explain at least this share of a column's variance; else nothing has to go together.
RELATED = 0.5
# Rows left out, the least typical ones, before the relations are taken as they normally are.
TRIMMED = 0.1
# Rows with a gap cannot be judged: a column that is empty more often is left out.
MOSTLY_THERE = 0.7
# Differences are compared among rows with similar predictions, in this many groups.
GROUPS = 20
# Added to every variance, so that columns that say the same can be told apart no more than this.
RIDGE = 1e-3
# A value that does not fit is off by at least this many standard deviations (of the column's normal scores), so that
# roundings of columns that say the same are none; smaller scatter than the second number counts as that much.
SIZE = 0.8
SMALLEST_SCATTER = 0.1
# Gain in log-likelihood that strange rows have to bring: e**20 to one, since healthy differences take many shapes.
CLEAR = 20.0
# Degrees of freedom of the differences; the heaviest tails only where they have to explain everything.
FREEDOMS = (2.5, 4.0, 8.0, 50.0)
# Of the expectation maximisation: the likelihood hardly changes after these.
STEPS = 25
FEWEST_FOUND = 5
# Fits are only made when that many rows are this many times the usual difference off: normal ones hardly ever are.
OFF = 4.0
# Boosted trees learn from at most this many rows.
LEARN_FROM = 4_000
MOST_FINDINGS = 2


def multivariate(charter: Charter, survey: Survey) -> list[Finding | Skip]:
    """Find rows in which a number does not fit the row's other values.

    Every number column is predicted from all others and from the categories, linearly in normal scores, on the typical
    rows (one step of a trimmed fit, as in Rousseeuw and van Driessen, 1999). Where that works well, two stories are
    held against each other: all rows follow the relation, if with heavy-tailed differences; or some rows do not follow
    it at all, and have any value of the column. Boosted trees that have not seen the rows have to tell the second one,
    too: relations need not be linear. Where no columns are related there is nothing to find.
    """
    picked = np.linspace(0, len(survey.sample) - 1, min(MOST_ROWS, len(survey.sample))).astype(int)
    names, scores = _scores(survey, picked)
    if not names:
        return []
    design = np.column_stack([*scores, *_indicators(survey, picked)])
    whole = np.flatnonzero(~np.isnan(design).any(axis=1))
    if len(whole) < FEWEST_ROWS or design.shape[1] < 2:
        return []
    design = design[whole]
    residuals, related = _residuals(design, len(names))
    found: list[tuple[float, Finding]] = []
    for number in np.flatnonzero(related >= RELATED):
        column, own = names[number], design[:, number]
        if survey.facts[column].distinct <= FEW_LEVELS or np.unique(own, return_counts=True)[1].max() > TIED * len(own):
            continue
        gain, strange = _strangers(own, own - residuals[:, number])
        if gain < CLEAR or strange.sum() < FEWEST_FOUND:
            continue
        again, confirmed = _strangers(own, _by_trees(np.delete(design, number, axis=1), own))
        where = np.zeros(len(survey.sample), dtype=bool)
        where[picked[whole[strange & confirmed]]] = True
        if again >= CLEAR and where.sum() >= FEWEST_FOUND and not explained(survey, where, column):
            found.append((gain, _apart(survey, column, _closest(names, design, number), where, len(whole))))
    found.sort(key=lambda one: -one[0])
    return [one for _, one in found[:MOST_FINDINGS]]


def _scores(survey: Survey, picked: np.ndarray) -> tuple[list[str], list[np.ndarray]]:
    names: list[str] = []
    scores: list[np.ndarray] = []
    for name, values in {**survey.numbers, **survey.days}.items():
        part = values[picked]
        there = np.isfinite(part)
        if name in survey.identifiers or there.mean() < MOSTLY_THERE or part[there].min() == part[there].max():
            continue
        if len(names) < MOST_COLUMNS:
            names.append(name)
            scores.append(normal_scores(part))
    return names, scores


def _indicators(survey: Survey, picked: np.ndarray) -> list[np.ndarray]:
    """Give a column of ones and zeros for every level of the categories but the most frequent one."""
    columns: list[np.ndarray] = []
    for name, texts in survey.texts.items():
        if not 2 <= survey.facts[name].distinct <= MOST_LEVELS or len(columns) > MOST_COLUMNS:
            continue
        values = texts.iloc[picked].astype(str)
        times = values.value_counts()
        columns += [(values == level).to_numpy(float) for level in times[times >= RAREST].index[1:]]
    return columns


def _residuals(design: np.ndarray, numbers: int) -> tuple[np.ndarray, np.ndarray]:
    """Predict each of the first columns from all others, on typical rows, and give the residuals and R squared.

    All regressions come out of one inverse: the residuals of a column given all others are a row of the precision
    matrix times the data, divided by its diagonal.
    """
    typical = np.ones(len(design), dtype=bool)
    for _ in range(2):
        centred = design - design[typical].mean(axis=0)
        covariance = centred[typical].T @ centred[typical] / typical.sum()
        precision = np.linalg.inv(covariance + RIDGE * np.eye(len(covariance)))
        residuals = (centred @ precision)[:, :numbers] / np.diag(precision)[:numbers]
        strange = np.abs(residuals / residuals[typical].std(axis=0)).max(axis=1)
        typical = strange <= np.quantile(strange, 1 - TRIMMED)
    # by medians, since the rows looked for spoil the mean
    spread = [np.median(np.abs(part - np.median(part, axis=0)), axis=0) for part in (residuals, design[:, :numbers])]
    return residuals, 1 - np.square(spread[0] / np.maximum(spread[1], 1e-9))


def _strangers(own: np.ndarray, predicted: np.ndarray) -> tuple[float, np.ndarray]:
    """Say how much better the data are explained when some rows do not follow the prediction, and mark those rows.

    Both stories are fitted by expectation maximisation (Dempster, Laird and Rubin, 1977): differences from the
    prediction follow Student's distribution; or they do for most rows, and the others are drawn from the whole column,
    whose scores are normal.

    Returns
    -------
    gain
        Difference of the log-likelihoods.
    rows
        Those more likely not to follow the prediction.
    """
    differences, scatter = _standard(own - predicted, predicted)
    off = (np.abs(differences) >= OFF) & (np.abs(differences * scatter) >= SIZE)
    if off.sum() < FEWEST_FOUND:
        return 0.0, off
    anywhere = np.exp(-(own**2) / 2) / np.sqrt(2 * np.pi) * scatter
    followed = max(_fit(differences, freedom, anywhere, 0.0)[0] for freedom in FREEDOMS)
    mixed, strange = max(
        (_fit(differences, freedom, anywhere, 0.05) for freedom in FREEDOMS[1:]), key=lambda fit: fit[0]
    )
    return mixed - followed, (strange > 0.5) & (np.abs(differences * scatter) >= SIZE)


def _fit(differences: np.ndarray, freedom: float, anywhere: np.ndarray, share: float) -> tuple[float, np.ndarray]:
    """Fit scale and share of a mixture; give the log-likelihood and the chance of each row to be of the second part."""
    constant = np.exp(special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2)) / np.sqrt(freedom * np.pi)
    squares, scale = differences**2, 1.0
    for _ in range(STEPS):
        relative = 1 + squares / (scale * freedom)
        following = (1 - share) * constant / np.sqrt(scale) * np.exp(-(freedom + 1) / 2 * np.log(relative))
        total = following + share * anywhere
        strange = share * anywhere / total
        weight = (1 - strange) * (freedom + 1) / (freedom * relative)
        scale = max(float((weight * squares).sum() / (1 - strange).sum()), 1e-6)
        share = float(strange.mean())
    return float(np.log(total).sum()), strange


def _standard(residuals: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give residuals in units of their usual size among rows with similar predictions, and these units."""
    edges = np.quantile(predicted, np.linspace(0, 1, GROUPS + 1)[1:-1])
    group = np.searchsorted(edges, predicted)
    apart, scatter = np.zeros_like(residuals), np.ones_like(residuals)
    overall = float(np.median(np.abs(residuals)))
    for number in range(GROUPS):
        rows = group == number
        if rows.any():
            apart[rows] = residuals[rows] - np.median(residuals[rows])
            # a group in which hardly anything varies must not make small differences large
            scatter[rows] = max(1.4826 * float(np.median(np.abs(apart[rows]))), 0.3 * overall, SMALLEST_SCATTER)
    return apart / scatter, scatter


def _by_trees(others: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Predict a column by boosted trees for rows they have not seen: relations need not be linear."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    predicted = np.empty_like(own)
    half = np.arange(len(own)) % 2
    for part in (0, 1):
        trees = HistGradientBoostingRegressor(
            loss="absolute_error", max_iter=40, learning_rate=0.2, max_bins=63, early_stopping=False, random_state=0
        )
        seen = np.flatnonzero(half != part)
        seen = seen[:: 1 + len(seen) // LEARN_FROM]
        # so few rows are not worth dividing: on a busy machine threads wait for each other for seconds
        with threadpool_limits(limits=1):
            trees.fit(others[seen], own[seen])
            predicted[half == part] = trees.predict(others[half == part])
    return predicted


def _closest(names: list[str], design: np.ndarray, number: int) -> str | None:
    """Name the number column that goes most closely with one, if any does."""
    alike = np.abs(np.atleast_2d(np.corrcoef(design[:, : len(names)], rowvar=False))[number])
    alike[number] = 0
    return names[int(alike.argmax())] if alike.max() >= RELATED else None


def _apart(survey: Survey, column: str, partner: str | None, where: np.ndarray, looked_at: int) -> Finding:
    rows = int(where.sum())
    beside = f", {partner} first of all" if partner else ""
    basis = "" if looked_at == survey.rows else f" (among {amount(looked_at, 'row')} without gaps that were looked at)"
    what = (
        f"In {amount(rows, 'row')} of {survey.name} ({rows / looked_at:.1%}) {column} does not fit the row's other "
        f"values{beside}{basis}."
    )
    values = survey.numbers[column] if column in survey.numbers else survey.days[column]
    examples = survey.keys_of(where) or [f"{value:.15g}" for value in values[where][:3]]
    return finding("outlier.multivariate", survey.name, column, "warn", rows / looked_at, 0, what, rows, examples)
