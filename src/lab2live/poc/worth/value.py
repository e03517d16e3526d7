"""What an answer becomes as a decision, and what that decision is worth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab2live.charter.schema import Charter, PerCase, Value
from lab2live.data.dataset import Problem
from lab2live.errors import UserError
from lab2live.poc.worth.ranking import pick_lines, pick_shifts, rank
from lab2live.reporting.formatting import minus


def cost_optimal_threshold(per_case: PerCase | None) -> float:
    """Give the probability above which acting is worth more than not acting.

    Parameters
    ----------
    per_case
        The money in the charter; without it every mistake counts the same and the answer is 0.5.

    Returns
    -------
    float
        Elkan (2001), "The foundations of cost-sensitive learning", written for values instead of costs: with TP, FP,
        FN, TN what each outcome is worth, ``(TN - FP) / ((TN - FP) + (TP - FN))``. Right if probabilities are
        calibrated. Clipped to 0..1: beyond that one answer is always better.
    """
    if per_case is None:
        return 0.5
    loss_of_acting = per_case.true_negative - per_case.false_positive
    gain_of_acting = per_case.true_positive - per_case.false_negative
    if loss_of_acting + gain_of_acting <= 0:
        return 1.0 if loss_of_acting > gain_of_acting else 0.0
    return min(max(loss_of_acting / (loss_of_acting + gain_of_acting), 0.0), 1.0)


def threshold(charter: Charter) -> float:
    """Give the probability above which this business acts."""
    return cost_optimal_threshold(charter.business.value.per_case)


def threshold_sentence(charter: Charter, policy: Policy) -> str:
    """Say where the line is and why."""
    if policy.costs is not None:
        return (
            "Decided is for the class that costs least on average, given how probable the classes are: no line to draw."
        )
    if policy.problem == "multiclass":
        return "With more than two classes the most probable one is the answer: there is no line to draw."
    if policy.problem == "regression":
        says = "A regression answers with a number: there is no line to draw."
        if no_money(charter, "regression"):
            return says
        under, over = (
            charter.business.value.cost_per_unit_under or 0.0,
            charter.business.value.cost_per_unit_over or 0.0,
        )
        return (
            f"{says} It is used with {minus(f'{policy.shift:+.3g}')}: so {under / (under + over):.0%} of the outcomes "
            "lie below it, where too low and too high together cost least."
        )
    if charter.business.value.per_case is None:
        return "Without money in the charter the line is drawn at 50 %."
    usual = threshold(charter)
    says = f"With the money in the charter it pays to act from a probability of {usual:.0%} on."
    if np.isinf(policy.line) or np.isclose(policy.threshold, usual):
        return says
    return f"{says} On the cases of the training part a line at {policy.threshold:.0%} earned clearly more: it is used."


def no_money(charter: Charter, problem: Problem) -> str:
    """Say what the charter lacks to put money on decisions; empty where it lacks nothing."""
    value = charter.business.value
    if problem == "binary" and value.per_case is None:
        return "The charter puts no money on right and wrong answers (business.value.per_case)."
    if problem == "multiclass" and value.cost_matrix is None:
        return "The charter does not say what it costs to take one class for another (business.value.cost_matrix)."
    both = (value.cost_per_unit_under, value.cost_per_unit_over)
    if problem == "regression" and (None in both or not any(both)):
        return (
            "The charter does not say what it costs to answer too low and too high "
            "(business.value.cost_per_unit_under and cost_per_unit_over)."
        )
    return ""


def missing_volumes(value: Value) -> list[str]:
    """Name the fields of the charter without which no return can be computed."""
    needed = ("cases_per_month", "horizon_months", "build_cost", "run_cost_per_month")
    return [name for name in needed if getattr(value, name) is None]


def cost_matrix(charter: Charter, classes: int) -> np.ndarray:
    """Give what it costs to decide for one class where another is true, shape (true, decided).

    Raises
    ------
    UserError
        If it does not have a row and a column per class.
    """
    rows = charter.business.value.cost_matrix or []
    lengths = sorted({len(row) for row in rows})
    if len(rows) != classes or lengths != [classes]:
        raise UserError(
            "The cost matrix does not fit the classes of the target.",
            where=f"{charter.file}, field `business.value.cost_matrix`",
            found=f"{len(rows)} rows of {' or '.join(map(str, lengths)) or 'no'} numbers",
            expected=f"{classes} rows of {classes} numbers: a row per true class, a column per decided one",
            fix="write a row and a column per class, in the order in which the classes of the target are sorted",
        )
    return np.array(rows, dtype=float)


def stakes(per_case: PerCase, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give what acting on a case and leaving it alone are worth, shape (rows,) each."""
    positive = np.asarray(known) == 1
    acting = np.where(positive, per_case.true_positive, per_case.false_positive)
    return acting, np.where(positive, per_case.false_negative, per_case.true_negative)


def miss_costs(value: Value, miss: np.ndarray) -> np.ndarray:
    """Give what it costs to answer `miss` (truth minus answer) beside the truth."""
    under, over = value.cost_per_unit_under or 0.0, value.cost_per_unit_over or 0.0
    return np.asarray(under * np.maximum(miss, 0) + over * np.maximum(-miss, 0))


def worth(charter: Charter, problem: Problem, known: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """Give the money that decisions bring.

    Parameters
    ----------
    charter
        With money for this problem, see `no_money`.
    problem
        What kind of outcome it is.
    known
        Outcomes, shape (rows,): 0/1, class codes, or numbers.
    decisions
        Shape (rows,). Of two classes 1 for acting and 0 for leaving alone; a share between them is the chance of being
        acted on. Of more classes the code of the one decided for; in a regression the number that is acted on.

    Returns
    -------
    numpy.ndarray
        Money per case, shape (rows,).
    """
    lacking = no_money(charter, problem)
    if lacking:
        raise UserError(lacking, where=f"{charter.file}, field `business.value`", fix="state it")
    value = charter.business.value
    if problem == "binary":
        assert value.per_case is not None
        acting, leaving = stakes(value.per_case, known)
        return np.asarray(leaving + decisions * (acting - leaving))
    if problem == "multiclass":
        costs = cost_matrix(charter, len(value.cost_matrix or []))
        if max(np.max(known, initial=0), np.max(decisions, initial=0)) >= len(costs):
            cost_matrix(charter, int(max(np.max(known), np.max(decisions))) + 1)
        return np.asarray(-costs[np.asarray(known, dtype=int), np.asarray(decisions, dtype=int)])
    return -miss_costs(value, np.asarray(known) - decisions)


def capacity_share(charter: Charter) -> float | None:
    """Give the share of cases that can be acted on, or None where nothing limits it or volumes are not stated."""
    value = charter.business.value
    if value.capacity_per_month is None or value.cases_per_month is None:
        return None
    share = value.capacity_per_month / value.cases_per_month
    return share if share < 1 else None


@dataclass(frozen=True)
class Policy:
    """How answers become decisions; learnt where no answer knows its own outcome, never on the test part.

    Attributes
    ----------
    problem
        What kind of outcome it is.
    line
        Of two classes: the score from which on to act; infinite where nobody (inf) or everybody (-inf) is acted on.
    share
        Of two classes: at most this share of the cases, those with the highest scores.
    costs
        Of more classes: what each decision costs, by true class; None for the most probable class.
    shift
        In a regression: what is added to the answer.
    """

    problem: Problem
    line: float = 0.5
    share: float | None = None
    costs: tuple[tuple[float, ...], ...] | None = None
    shift: float = 0.0

    @property
    def threshold(self) -> float:
        """The line as a probability, for files that know no infinity: 1 where nobody is acted on, 0 where everybody."""
        return float(np.clip(self.line, 0.0, 1.0))

    def decide(self, answers: np.ndarray) -> np.ndarray:
        """Turn the answers about some cases into decisions as `worth` takes them.

        With a capacity, cases compete with the others they come with; who shares the score at the border has the same
        chance, so that a decision may be a share between 0 and 1. Class codes are decisions already.
        """
        if self.problem == "regression":
            return np.asarray(answers) + self.shift
        if self.problem == "multiclass":
            if answers.ndim == 1:
                return answers.astype(int)
            return np.asarray((answers if self.costs is None else -answers @ np.array(self.costs)).argmax(axis=1))
        acting = (answers >= self.line).astype(float)
        if self.share is None or acting.sum() <= self.share * len(answers):
            return acting
        room = self.share * len(answers)
        border = np.sort(answers)[::-1][int(np.ceil(room)) - 1]
        above, level = answers > border, answers == border
        return np.where(level, (room - above.sum()) / level.sum(), above.astype(float))


def learn_policy(
    charter: Charter, problem: Problem, known: np.ndarray, answers: np.ndarray, probabilities: bool = True
) -> Policy:
    """Learn how to decide from answers out of fold.

    Parameters
    ----------
    charter
        Money and volumes. Without money: act from 0.5 on, the most probable class, the plain number.
    problem
        What kind of outcome it is.
    known, answers
        Of the training part; rows whose answer is NaN are left out.
    probabilities
        Whether the answers about two classes are meant as probabilities; the scores of a business rule are not.
    """
    value, share = charter.business.value, capacity_share(charter) if problem == "binary" else None
    if no_money(charter, problem):
        return Policy(problem, share=share)
    if problem == "multiclass":
        classes = answers.shape[1] if answers.ndim == 2 else len(value.cost_matrix or [])
        return Policy(problem, costs=tuple(map(tuple, cost_matrix(charter, classes).tolist())))
    told = ~np.isnan(answers)
    known, answers = known[told], answers[told]
    if problem == "regression":
        return Policy(problem, shift=float(pick_shifts(value, known - answers)[0]) if len(known) else 0.0)
    assert value.per_case is not None
    usual = threshold(charter) if probabilities else None
    if not len(known):
        return Policy(problem, line=0.5 if usual is None else usual, share=share)
    acting, leaving = stakes(value.per_case, known)
    return Policy(problem, float(pick_lines(rank(answers, acting - leaving), usual, share)[0]), share)
