"""How well does the model do: from outcomes that arrived, and estimated from its own answers where none did."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from lab2live.charter import metrics
from lab2live.charter.schema import Charter
from lab2live.data.dataset import Problem
from lab2live.data.intervals import BOOTSTRAPS, CONFIDENCE, redraw, scores
from lab2live.monitoring.shape import Shape
from lab2live.poc.comparison.ladder import DEFAULT_METRIC
from lab2live.poc.worth import value
from lab2live.poc.worth.value import Policy

# Cases with an outcome, and cases of the rarer class among them, from which on a score says anything.
FEWEST, FEWEST_OF_CLASS = 50, 10
# Answers are kept this far from 0 and 1 before their logarithms are taken.
EDGE = 1e-6
BLIND = "Valid only while probabilities mean what they meant when it was tested; blind where the world itself changed."


@dataclass(frozen=True)
class Measured:
    """A number and the range in which it surely lies; `spread` is its standard error times the root of the cases."""

    value: float
    low: float
    high: float
    spread: float
    cases: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Judge:
    """What the answers about some cases are worth, by the charter's own measure.

    Attributes
    ----------
    charter
        Names metric and money; may be one that a bundle carried along.
    problem
        What kind of outcome it is.
    policy
        How answers become decisions.
    mended
        Intercept and slope on the scale of log odds by which a probability becomes what happened (Platt 1999); of two
        classes.
    said, losses
        Of a regression: the parts of its answers, and in each the mean absolute miss, the mean squared miss and the
        mean money (0 without), shape (3, parts).
    """

    charter: Charter
    problem: Problem
    policy: Policy
    mended: tuple[float, float] = (0.0, 1.0)
    said: Shape | None = None
    losses: tuple[tuple[float, ...], ...] = ()

    @cached_property
    def metric(self) -> str:
        return self.charter.prediction.metric or DEFAULT_METRIC[self.problem]

    @property
    def no_money(self) -> str:
        """Say why decisions have no value in money; empty where they have."""
        return value.no_money(self.charter, self.problem)

    def score(self, known: np.ndarray, answers: np.ndarray) -> float:
        """Score answers, as `ladder.scorer` does."""
        if self.metric == "roc_auc":
            return _expected_auc(known.astype(float), answers)  # the same to the last digit, at a tenth of the time
        if self.problem == "multiclass":
            answers = answers.argmax(axis=1)
        elif self.metric == "balanced_accuracy":
            answers = answers >= value.threshold(self.charter)
        return float(metrics.score(self.metric)(known, answers))

    def worth(self, known: np.ndarray, answers: np.ndarray) -> np.ndarray:
        """Give the money that decisions by the model bring, per case."""
        return value.worth(self.charter, self.problem, known, self.policy.decide(answers))

    def expected_score(self, answers: np.ndarray) -> float | None:
        """Estimate the score from the answers alone; `None` where the metric does not allow it.

        If a probability of 30 % comes true 30 times in 100, the expected number of right and wrong answers follows from
        the probabilities (Guillory et al. 2021; Kivimäki et al. 2025). In a regression the misses seen before at
        such answers are expected again.
        """
        if self.problem == "regression":
            miss = {"mae": 0, "rmse": 1}.get(self.metric)
            if miss is None:
                return None
            mean = self._as_before(answers, miss)
            return -math.sqrt(mean) if self.metric == "rmse" else -mean
        if self.problem == "multiclass":
            decided = answers.argmax(axis=1)[:, None] == np.arange(answers.shape[1])
            total = answers.sum(axis=0)
            return float(((answers * decided).sum(axis=0)[total > 0] / total[total > 0]).mean())
        chance = self._chances(answers)
        return _EXPECTED[self.metric](chance, answers, value.threshold(self.charter))

    def expected_worth(self, answers: np.ndarray) -> float:
        """Estimate the money per case from the answers alone."""
        if self.problem == "regression":
            return self._as_before(answers, 2)
        decided = self.policy.decide(answers)
        chances = answers
        if self.problem == "binary":
            one = self._chances(answers)
            chances = np.column_stack([1 - one, one])
        each = [
            value.worth(self.charter, self.problem, np.full(len(answers), code), decided)
            for code in range(chances.shape[1])
        ]
        return float((chances * np.column_stack(each)).sum(axis=1).mean())

    def _chances(self, answers: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return np.asarray(expit(self.mended[0] + self.mended[1] * _log_odds(answers)))

    def _as_before(self, answers: np.ndarray, row: int) -> float:
        assert self.said is not None
        return float(np.array(self.losses[row])[self.said.codes(answers)].mean())


def learn(charter: Charter, policy: Policy, known: np.ndarray, answers: np.ndarray, said: Shape) -> Judge:
    """Learn from held-back cases what is needed to estimate later without outcomes.

    Parameters
    ----------
    charter, policy
        See `Judge`.
    known, answers
        Outcomes and answers of cases that the model has not learnt from.
    said
        The distribution of the answers.
    """
    problem = policy.problem
    if problem == "regression":
        misses = known - answers
        worth = np.zeros(len(known))
        if not value.no_money(charter, problem):
            worth = value.worth(charter, problem, known, policy.decide(answers))
        place = said.codes(answers)
        cases = np.bincount(place, minlength=said.cells)
        each = [np.abs(misses), misses**2, worth]
        # a part in which nobody lies is taken for an average one
        losses = [
            np.where(cases > 0, np.bincount(place, one, said.cells) / np.maximum(cases, 1), one.mean()) for one in each
        ]
        return Judge(charter, problem, policy, said=said, losses=tuple(tuple(one.tolist()) for one in losses))
    if problem == "binary" and len(np.unique(known)) == 2:
        from sklearn.linear_model import LogisticRegression

        line = LogisticRegression(C=1e6).fit(_log_odds(answers)[:, None], known)
        return Judge(charter, problem, policy, (float(line.intercept_[0]), float(line.coef_[0, 0])))
    return Judge(charter, problem, policy)


def too_few(problem: Problem, known: np.ndarray) -> str:
    """Say why some outcomes are too few to score; empty where they are enough."""
    if len(known) < FEWEST:
        return f"{len(known):,} cases have an outcome; it takes {FEWEST}."
    rarest = int(np.unique(known, return_counts=True)[1].min()) if problem != "regression" else FEWEST_OF_CLASS
    if rarest < FEWEST_OF_CLASS or (problem != "regression" and len(np.unique(known)) < 2):
        return f"One of the classes has {rarest if len(np.unique(known)) > 1 else 0} cases; it takes {FEWEST_OF_CLASS}."
    return ""


def realised(
    judge: Judge, known: np.ndarray, answers: np.ndarray, seed: int, groups: np.ndarray | None = None
) -> tuple[Measured, Measured | None]:
    """Measure score and money per case, with 95 % bootstrap intervals (Efron 1979); whole groups are redrawn.

    Returns
    -------
    score, money
        The latter `None` where the charter puts no money on decisions.
    """
    weights = redraw(seed, len(known), BOOTSTRAPS, groups, None if judge.problem == "regression" else known)
    if judge.problem == "binary" and judge.metric != "balanced_accuracy":
        redrawn = scores(metrics.score(judge.metric), known, answers, weights)
    else:
        redrawn = scores(judge.score, known, answers, weights)
    found = _measured(judge.score(known, answers), redrawn, len(known))
    if judge.no_money:
        return found, None
    worth = judge.worth(known, answers)
    return found, _measured(float(worth.mean()), weights @ worth / weights.sum(axis=1), len(known))


def estimated(judge: Judge, answers: np.ndarray, seed: int, groups: np.ndarray | None = None) -> Measured | None:
    """Estimate the score without outcomes; `None` where the metric does not allow it."""
    middle = judge.expected_score(answers)
    if middle is None:
        return None
    rows = np.arange(len(answers))
    weights = redraw(seed, len(answers), BOOTSTRAPS // 4, groups)
    redrawn = [judge.expected_score(answers[np.repeat(rows, times)]) for times in weights]
    return _measured(middle, np.array(redrawn, dtype=float), len(answers))


def worse_p(before: Measured, now: float, cases: int) -> float:
    """Give how often chance alone makes a result at least so much worse, by the normal distribution."""
    from scipy.special import ndtr

    error = before.spread * math.sqrt(1 / cases + 1 / before.cases)
    return float(ndtr((now - before.value) / error)) if error > 0 else float(now >= before.value)


def _measured(middle: float, redrawn: np.ndarray, cases: int) -> Measured:
    low, high = np.quantile(redrawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Measured(middle, float(low), float(high), float(redrawn.std(ddof=1) * math.sqrt(cases)), cases)


def _log_odds(answers: np.ndarray) -> np.ndarray:
    kept = np.clip(answers, EDGE, 1 - EDGE)
    return np.asarray(np.log(kept / (1 - kept)))


def _expected_auc(chance: np.ndarray, answers: np.ndarray, _: float = 0.5) -> float:
    """Expect the share of pairs of a positive and a negative case in the right order, equal answers counting half."""
    order = np.argsort(answers, kind="stable")
    ties = np.flatnonzero(np.r_[True, np.diff(answers[order]) != 0])
    positive = np.add.reduceat(chance[order], ties)
    negative = np.add.reduceat(1 - chance[order], ties)
    alone = float((chance * (1 - chance)).sum())  # a case is no pair with itself
    pairs = float(positive.sum() * negative.sum()) - alone
    right = float((positive * (np.cumsum(negative) - negative / 2)).sum()) - alone / 2
    return right / pairs if pairs > 0 else 0.5


def _expected_precision(chance: np.ndarray, answers: np.ndarray, _: float) -> float:
    ordered = chance[np.argsort(-answers, kind="stable")]
    precision = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return float((ordered * precision).sum() / ordered.sum())


def _expected_balance(chance: np.ndarray, answers: np.ndarray, line: float) -> float:
    acting = answers >= line
    return float((chance[acting].sum() / chance.sum() + (1 - chance)[~acting].sum() / (1 - chance).sum()) / 2)


_EXPECTED: Mapping[str, Any] = {
    "roc_auc": _expected_auc,
    "average_precision": _expected_precision,
    "balanced_accuracy": _expected_balance,
}
