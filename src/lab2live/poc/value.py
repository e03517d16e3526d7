"""What a decision is worth: where to draw the line between acting and leaving alone."""

from __future__ import annotations

from lab2live.cases import Problem
from lab2live.schema import Charter, PerCase


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


def threshold_sentence(charter: Charter, problem: Problem) -> str:
    """Say where the line is and why."""
    if problem == "multiclass":
        return "With more than two classes the most probable one is the answer: there is no line to draw."
    if problem == "regression":
        return "A regression answers with a number: there is no line to draw."
    if charter.business.value.per_case is None:
        return "The charter puts no money on right and wrong answers, so the line is drawn at 50 %."
    return f"With the money in the charter it pays to act from a probability of {threshold(charter):.0%} on."
