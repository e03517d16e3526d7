"""The ladder (G2, P1): from a constant over today's rule to boosting, compared on the same splits."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lab2live.charter import metrics
from lab2live.charter.schema import Charter
from lab2live.data import models, splits
from lab2live.data.dataset import Dataset
from lab2live.data.intervals import CONFIDENCE, bootstrap, corrected_error, interval
from lab2live.data.splits import Split
from lab2live.errors import UserError
from lab2live.poc.comparison import own
from lab2live.poc.comparison.answers import Answers
from lab2live.poc.comparison.candidates import Candidate, ask, candidates
from lab2live.poc.comparison.tuning import Tuning, tune
from lab2live.poc.worth.value import cost_optimal_threshold

# From so many training cases on they are compared on some of them, without repeats: the intervals are narrow by then,
# and every rung would be fitted dozens of times for a digit that nobody reads.
MOST_COMPARED = 30_000
FEWEST_COMPARED = 30  # of each class
# Single cases answered to see how long one takes.
PROBES = 15

DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}


@dataclass(frozen=True)
class Rung:
    """One candidate and how it did.

    Attributes
    ----------
    name
        `constant`, `rule`, `linear`, `additive`, `boosting`, or that of a candidate of the project's own.
    learns
        Whether it is a model; the others are what a model has to beat.
    mean, low, high
        Cross-validated score and its 95 % interval.
    scores
        The score on each validation part.
    test, test_low, test_high
        Score on the test part with its 95 % bootstrap interval.
    """

    name: str
    title: str
    learns: bool
    mean: float
    low: float
    high: float
    scores: tuple[float, ...]
    test: float
    test_low: float
    test_high: float


@dataclass(frozen=True)
class Ladder:
    """The outcome of the comparison.

    Attributes
    ----------
    metric
        A key of `metrics.METRICS`.
    rungs
        Simplest first.
    chosen
        Name of the simplest model whose paired difference to the best model is within one standard error.
    best
        Name of the model with the highest score.
    baseline
        Name of the better one of constant and rule.
    gain, gain_low, gain_high
        Cross-validated paired difference between the chosen model and the baseline, with its 95 % interval.
    confidence
        How sure it is that the gain is no accident: one minus the one-sided p-value, corrected for the number of
        models that were tried.
    optimism
        How many standard errors the test score lies below the cross-validated one.
    reached
        Share of bootstrap test parts on which the required score is reached; `None` without a required score.
    no_rule
        Why there is no rung for the business rule; empty if there is one.
    drawn
        On which part of many training cases the rungs were compared; empty where on all.
    ratio
        Cases that a score is of, per case learnt from: see `corrected_error`.
    """

    metric: str
    rungs: tuple[Rung, ...]
    chosen: str
    best: str
    baseline: str
    gain: float
    gain_low: float
    gain_high: float
    confidence: float
    optimism: float
    reached: float | None
    no_rule: str = ""
    drawn: str = ""
    ratio: float = 0.25

    def rung(self, name: str) -> Rung:
        return next(rung for rung in self.rungs if rung.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return asdict(self)


@dataclass(frozen=True)
class Cost:
    """What a rung takes: seconds to fit, milliseconds to answer one case, and how its answers are explained."""

    name: str
    fit_seconds: float
    latency_ms: float
    explained: str


@dataclass(frozen=True)
class Climb:
    """What the ladder leaves behind.

    Attributes
    ----------
    ladder
        The comparison.
    model
        The chosen model, fitted on the whole training part.
    fitted
        All models, by the name of their rung.
    answers
        Of every candidate on cases it has not learnt from.
    candidates
        What stands on the rungs, simplest first.
    tuning
        How boosting was tuned.
    costs
        Measured times, which differ from run to run.
    seconds
        That tuning took.
    problems
        Why candidates of the project's own were left out.
    """

    ladder: Ladder
    model: Any
    fitted: Mapping[str, Any]
    answers: Answers
    candidates: tuple[Candidate, ...]
    tuning: Tuning
    costs: tuple[Cost, ...]
    seconds: float
    problems: tuple[UserError, ...] = ()


def climb(
    charter: Charter,
    data: Dataset,
    split: Split,
    *,
    folds: int = 5,
    repeats: int = 2,
    budget: int = 12,
    seed: int = 0,
) -> Climb:
    """Compare all candidates on the same splits, choose one, fit it, and open the test part once.

    Candidates of the project's own (models.py) come last, as the most complex ones; one that fails is left out.

    Parameters
    ----------
    charter
        Metric, required score, and the project's business rule.
    data, split
        See `cases` and `splits`.
    folds, repeats
        Of the cross-validation inside the training part; see `MOST_COMPARED` for large ones.
    budget
        Number of fits that may be spent on tuning boosting.
    seed
        Of everything that is drawn at random.

    Returns
    -------
    Climb
    """
    metric = metric_of(charter, data)
    score = scorer(charter, data, metric)
    tuning, seconds = tune(charter, data, split.train, budget, seed)
    found, no_rule = candidates(charter, data, tuning.settings, seed)
    mine, problems = own.candidates(charter, data, seed, [candidate.name for candidate in found])
    rows = compared(data, split.train, seed)
    some = len(rows) < len(split.train)
    parts = list(splits.folds(charter, data, rows, folds, 1 if some else repeats, seed))
    scores: dict[str, list[float]] = {}
    held_out: dict[str, np.ndarray] = {}
    answers: dict[str, np.ndarray] = {}
    fitted: dict[str, Any] = {}
    costs = []
    place = np.zeros(len(data.outcome), dtype=int)
    place[split.train] = np.arange(len(split.train))
    for candidate in [*found, *mine]:
        name = candidate.name
        try:
            said, model, cost, each = _tried(charter, candidate, data, split, parts)
            scored = [float(score(data.outcome[validate], here)) for validate, here in each]
        except Exception as error:
            if candidate not in mine:
                raise
            problems.append(own.left_out(charter, name, error))
            continue
        answers[name], scores[name] = said, scored
        costs.append(cost)
        held_out[name] = np.full((len(split.train), *said.shape[1:]), np.nan)
        for validate, here in each:
            earlier = held_out[name][place[validate]]
            first = np.isnan(earlier).reshape(len(earlier), -1).all(axis=1)
            held_out[name][place[validate][first]] = here[first]
        if model is not None:
            fitted[name] = model
    found = [candidate for candidate in [*found, *mine] if candidate.name in scores]
    ratio = float(np.mean([len(validate) / len(learn) for learn, validate in parts]))
    groups = splits.groups(charter, data, split.test)
    boot = bootstrap(data.outcome[split.test], answers, score, seed, groups)
    rungs = tuple(
        _rung(
            candidate, scores[candidate.name], answers[candidate.name], boot[candidate.name], data, split, score, ratio
        )
        for candidate in found
    )
    chosen = choose([rung for rung in rungs if rung.learns], ratio)
    baseline = max((rung for rung in rungs if not rung.learns), key=lambda rung: rung.mean)
    gain, gain_low, gain_high, alone = interval(np.array(chosen.scores) - np.array(baseline.scores), ratio)
    # The chosen one is one of several that could have come out ahead by chance (Bonferroni).
    confidence = max(0.0, 1 - (1 - alone) * sum(rung.learns for rung in rungs))
    spread = np.hypot(corrected_error(np.array(chosen.scores), ratio), boot[chosen.name].std(ddof=1))
    required = required_score(charter, metric)
    ladder = Ladder(
        metric,
        rungs,
        chosen.name,
        max((rung for rung in rungs if rung.learns), key=lambda rung: rung.mean).name,
        baseline.name,
        gain,
        gain_low,
        gain_high,
        confidence,
        optimism=float((chosen.mean - chosen.test) / spread) if spread > 0 else 0.0,
        reached=None if required is None else float((boot[chosen.name] >= required).mean()),
        no_rule=no_rule,
        drawn=f"Compared on {len(rows):,} of {len(split.train):,} training cases, drawn at random." if some else "",
        ratio=ratio,
    )
    known = data.outcome[split.train], data.outcome[split.test]
    everything = Answers(data.problem, known[0], held_out, known[1], answers, groups, split.in_shares)
    return Climb(
        ladder, fitted[chosen.name], fitted, everything, tuple(found), tuning, tuple(costs), seconds, tuple(problems)
    )


def _tried(
    charter: Charter,
    candidate: Candidate,
    data: Dataset,
    split: Split,
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, Any, Cost, list[tuple[np.ndarray, np.ndarray]]]:
    """Fit a candidate on the training set and on each of its parts; hold an own one to what all give."""

    def asked(learn: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, Any]:
        said, model = ask(candidate, data, learn, rows)
        if models.is_own(model):
            own.check(said, model, data, rows)
        return said, model

    start = time.perf_counter()
    said, model = asked(split.train, split.test)
    cost = _cost(candidate, data, split, model, time.perf_counter() - start)
    if models.is_own(model):
        own.check_saved(charter, model, data, split.test, said)
    return said, model, cost, [(validate, asked(learn, validate)[0]) for learn, validate in parts]


def compared(data: Dataset, train: np.ndarray, seed: int) -> np.ndarray:
    """Give the rows of the training part on which candidates are compared; the chosen one learns from all.

    Where some of them would hold too few of a rare class, they are compared on all.
    """
    rows = splits.some(train, MOST_COMPARED, seed)
    if data.classes:
        rarest, all_of_it = (np.bincount(data.outcome[part], minlength=len(data.classes)) for part in (rows, train))
        if (rarest < np.minimum(all_of_it, FEWEST_COMPARED)).any():
            return train
    return rows


def scorer(charter: Charter, data: Dataset, metric: str) -> Callable[[np.ndarray, np.ndarray], float]:
    """Give a function that scores answers, see `Answers`, by a metric; decisions are taken where the business would."""
    score = metrics.score(metric)
    if data.problem == "multiclass":
        return lambda known, said: score(known, said.argmax(axis=1))
    if data.problem == "binary" and metric == "balanced_accuracy":
        threshold = cost_optimal_threshold(charter.business.value.per_case)
        return lambda known, said: score(known, said >= threshold)
    return score


def _cost(candidate: Candidate, data: Dataset, split: Split, model: Any, seconds: float) -> Cost:
    """Measure how long one case takes, prepared inputs to answer: the median of a few."""
    if model is None:
        return Cost(candidate.name, 0.0, 0.0, candidate.explained)
    times = []
    for row in split.test[:PROBES]:
        start = time.perf_counter()
        models.answer(model, models.inputs_of(model, data).iloc[[row]])
        times.append(1_000 * (time.perf_counter() - start))
    return Cost(candidate.name, seconds, float(np.median(times)), candidate.explained)


def _rung(
    candidate: Candidate,
    scores: list[float],
    answer: np.ndarray,
    resampled: np.ndarray,
    data: Dataset,
    split: Split,
    score: Callable[..., float],
    ratio: float,
) -> Rung:
    mean, low, high, _ = interval(np.array(scores), ratio)
    test_low, test_high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Rung(
        candidate.name,
        candidate.title,
        candidate.make is not None,
        mean,
        low,
        high,
        tuple(scores),
        float(score(data.outcome[split.test], answer)),
        float(test_low),
        float(test_high),
    )


def metric_of(charter: Charter, data: Dataset) -> str:
    """Take the charter's metric, or the usual one for the problem."""
    metric = charter.prediction.metric or DEFAULT_METRIC[data.problem]
    if data.problem == "multiclass" and metric != "balanced_accuracy":
        raise UserError(
            "This metric needs exactly two classes.",
            where="project.yaml, field `prediction.metric`",
            found=f"{metric}, and a target with {len(data.classes)} classes",
            expected="balanced_accuracy",
            fix="change the metric, or leave it out",
        )
    return metric


def required_score(charter: Charter, metric: str) -> float | None:
    """Take the charter's required score; an error is asked for as a plain number and scored with a minus sign."""
    required = charter.prediction.required_score
    return -abs(required) if required is not None and metric in metrics.ERRORS else required


def choose(models: Sequence[Rung], ratio: float) -> Rung:
    """Choose the simplest model whose paired difference to the best is within one standard error.

    Parameters
    ----------
    models
        Simplest first.
    ratio
        See `corrected_error`.
    """
    best = max(models, key=lambda rung: rung.mean)
    for rung in models:
        difference = np.array(best.scores) - np.array(rung.scores)
        if rung is best or difference.mean() <= corrected_error(difference, ratio):
            return rung
    return best
