"""The ladder (G2, P1): from a constant over today's rule to boosting, compared on the same splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from lab2live import metrics, models, splits, user_code
from lab2live.cases import Dataset
from lab2live.columns import label
from lab2live.errors import UserError
from lab2live.poc.uncertainty import CONFIDENCE, bootstrap, corrected_error, interval
from lab2live.poc.value import cost_optimal_threshold
from lab2live.schema import Charter
from lab2live.splits import Split

DEFAULT_METRIC = {"binary": "roc_auc", "multiclass": "balanced_accuracy", "regression": "r2"}


@dataclass(frozen=True)
class Rung:
    """One candidate and how it did.

    Attributes
    ----------
    name
        `constant`, `rule`, `linear` or `boosting`.
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
    """

    metric: str
    rungs: tuple[Rung, ...]
    chosen: str
    baseline: str
    gain: float
    gain_low: float
    gain_high: float
    confidence: float
    optimism: float
    reached: float | None
    no_rule: str = ""

    def rung(self, name: str) -> Rung:
        return next(rung for rung in self.rungs if rung.name == name)

    def as_dict(self) -> dict[str, Any]:
        """Give what belongs into the results."""
        return asdict(self)


@dataclass(frozen=True)
class Candidate:
    """What stands on a rung: a factory of models, or a function that needs no learning."""

    name: str
    title: str
    make: Callable[[], Any] | None = None
    answer: Callable[[Dataset, np.ndarray, np.ndarray], np.ndarray] | None = None


def climb(
    charter: Charter, data: Dataset, split: Split, *, folds: int = 5, repeats: int = 2, seed: int = 0
) -> tuple[Ladder, Any]:
    """Compare all candidates on the same splits, choose one, fit it, and open the test part once.

    Parameters
    ----------
    charter
        Metric, required score, and the project's business rule.
    data, split
        See `cases` and `splits`.
    folds, repeats
        Of the cross-validation inside the training part.
    seed
        Of everything that is drawn at random.

    Returns
    -------
    ladder, model
        The comparison, and the chosen model fitted on the whole training part.
    """
    metric = metric_of(charter, data)
    score = metrics.score(metric)
    if data.problem == "binary" and metric == "balanced_accuracy":
        # This metric wants decisions: take them where the business would.
        of_decisions, threshold = score, cost_optimal_threshold(charter.business.value.per_case)
        score = lambda outcome, answer: of_decisions(outcome, answer >= threshold)  # noqa: E731
    rule, no_rule = _rule(charter, data)
    title = "Generated example rule" if user_code.rule_is_example(charter) else "Today's business rule"
    candidates = _candidates(data, rule, title, seed)
    parts = list(splits.folds(charter, data, split.train, folds, repeats, seed))
    scores: dict[str, list[float]] = {}
    answers: dict[str, np.ndarray] = {}
    fitted: dict[str, Any] = {}
    for candidate in candidates:
        name = candidate.name
        scores[name] = []
        for learn, validate in parts:
            predicted, _ = _answer(candidate, data, learn, validate)
            scores[name].append(float(score(data.outcome[validate], predicted)))
        answers[name], fitted[name] = _answer(candidate, data, split.train, split.test)
    ratio = float(np.mean([len(validate) / len(learn) for learn, validate in parts]))
    boot = bootstrap(data.outcome[split.test], answers, score, seed, splits.groups(charter, data, split.test))
    rungs = tuple(
        _rung(
            candidate, scores[candidate.name], answers[candidate.name], boot[candidate.name], data, split, score, ratio
        )
        for candidate in candidates
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
        baseline.name,
        gain,
        gain_low,
        gain_high,
        confidence,
        optimism=float((chosen.mean - chosen.test) / spread) if spread > 0 else 0.0,
        reached=None if required is None else float((boot[chosen.name] >= required).mean()),
        no_rule=no_rule,
    )
    return ladder, fitted[chosen.name]


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


def _rule(charter: Charter, data: Dataset) -> tuple[Callable[[pd.DataFrame], np.ndarray] | None, str]:
    rule = user_code.rule(charter)
    if rule is None:
        return None, "The charter names no package with a business rule (project.package)."
    if data.problem != "multiclass":
        return lambda frame: np.asarray(rule(frame), dtype=float), ""
    codes = {name: code for code, name in enumerate(data.classes)}

    def coded(frame: pd.DataFrame) -> np.ndarray:
        answers = [label(value) for value in rule(frame)]
        strangers = sorted(set(answers) - set(codes))
        if strangers:  # counted as wrong they would make a rule that is easy to beat
            raise UserError(
                "The business rule answers with a class that the target does not have.",
                where="rules.py of the project's package, `score`",
                found=", ".join(strangers[:5]),
                expected=", ".join(data.classes),
                fix="with more than two classes `score` gives one class per row, written as in the data",
            )
        return np.array([codes[answer] for answer in answers])

    return coded, ""


def _candidates(
    data: Dataset, rule: Callable[[pd.DataFrame], np.ndarray] | None, title: str, seed: int
) -> list[Candidate]:
    found = [Candidate("constant", "Always the same answer", answer=_constant)]
    if rule is not None:
        answer = rule
        found.append(Candidate("rule", title, answer=lambda data, _, rows: answer(data.raw.iloc[rows])))
    found.append(Candidate("linear", "Linear model", make=lambda: models.linear(data)))
    found.append(Candidate("boosting", "Gradient boosting", make=lambda: models.boosting(data, seed)))
    return found


def _constant(data: Dataset, learn: np.ndarray, rows: np.ndarray) -> np.ndarray:
    known = data.outcome[learn]
    value = np.bincount(known).argmax() if data.problem == "multiclass" else known.mean()
    return np.full(len(rows), value)


def _answer(candidate: Candidate, data: Dataset, learn: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, Any]:
    if candidate.make is None:
        assert candidate.answer is not None
        return candidate.answer(data, learn, rows), None
    model = models.fit(candidate.make(), data, learn)
    return models.predict(model, data.inputs.iloc[rows]), model


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
