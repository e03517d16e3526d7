"""The model and what one could do instead of it: what each is worth per case, on resample after resample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from lab2live.charter.schema import Charter
from lab2live.data.dataset import Problem
from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth.ranking import pick_lines, pick_shifts, rank
from lab2live.poc.worth.value import (
    capacity_share,
    cost_matrix,
    learn_policy,
    miss_costs,
    no_money,
    stakes,
    threshold,
    worth,
)

MODEL, RULE, ALL, NONE, CONSTANT = "model", "rule", "all", "none", "constant"

# What is shown beside an option, but is none by itself.
PLAIN = " plain"


@dataclass(frozen=True)
class Part:
    """Cases with their outcomes, and what model and rule answered about them.

    Attributes
    ----------
    known
        Shape (rows,).
    answers
        By `MODEL` and, where there is one, `RULE`; shape (rows,), or (rows, classes) of a model.
    """

    known: np.ndarray
    answers: Mapping[str, np.ndarray]


def split_parts(answers: Answers, chosen: str) -> tuple[Part, Part]:
    """Give the training part as far as everybody answered out of fold, and the test part."""
    names = {MODEL: chosen} | ({RULE: "rule"} if "rule" in answers.test else {})
    told = {option: np.asarray(answers.out_of_fold[name]) for option, name in names.items()}
    rows = np.logical_and.reduce([~np.isnan(answer.reshape(len(answer), -1)).any(axis=1) for answer in told.values()])
    learn = Part(np.asarray(answers.known)[rows], {option: answer[rows] for option, answer in told.items()})
    return learn, Part(
        np.asarray(answers.test_known), {option: np.asarray(answers.test[name]) for option, name in names.items()}
    )


def values(
    charter: Charter,
    problem: Problem,
    learn: Part,
    judge: Part,
    learn_weights: np.ndarray | None = None,
    judge_weights: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Give what every option is worth per case.

    Parameters
    ----------
    charter, problem
        With money for this problem, see `value.no_money`.
    learn, judge
        Where policies are learnt, and where their decisions are valued.
    learn_weights, judge_weights
        How often each row counts, shape (draws, rows); once if left out. Only the model's policy is learnt anew in each
        draw: the alternatives are what they were learnt to be once, so that the gain is measured against one thing.

    Returns
    -------
    dict of numpy.ndarray
        By option, the model first, shape (draws,). In a regression also each one's plain answer, by name and `PLAIN`.
    """
    learn_weights = np.ones((1, len(learn.known))) if learn_weights is None else learn_weights
    judge_weights = np.ones((1, len(judge.known))) if judge_weights is None else judge_weights
    means = judge_weights / judge_weights.sum(axis=1, keepdims=True)
    of_problem = {"binary": _binary, "multiclass": _multiclass, "regression": _regression}[problem]
    return of_problem(charter, learn, judge, learn_weights, means)


def best_alternative(charter: Charter, problem: Problem, learn: Part) -> str:
    """Choose what one would do without the model, by what it is worth on the training part."""
    worths = values(charter, problem, learn, learn)
    return max((name for name in worths if name != MODEL and PLAIN not in name), key=lambda name: worths[name][0])


def gain_of(charter: Charter, answers: Answers, chosen: str) -> Callable[[np.ndarray, np.ndarray], float] | None:
    """Give a function that says what answers about the test part gain over the best alternative.

    The policy is the one learnt on the training part, and the alternative is worth what it is worth on the test part as
    it stands: what changes the data is held against the model alone.

    Returns
    -------
    callable or None
        Takes outcomes and answers, gives money per month (per case without a volume); `None` without money.
    """
    problem = answers.problem
    learn, judge = split_parts(answers, chosen)
    if no_money(charter, problem) or not len(learn.known):
        return None
    policy = learn_policy(charter, problem, learn.known, learn.answers[MODEL])
    other = float(values(charter, problem, learn, judge)[best_alternative(charter, problem, learn)][0])
    volume = charter.business.value.cases_per_month or 1.0
    return lambda known, said: volume * (float(worth(charter, problem, known, policy.decide(said)).mean()) - other)


def gain_over(worths: Mapping[str, np.ndarray], against: str) -> np.ndarray:
    """Give what the model earns more than an alternative, in each draw; what rounding leaves over is no gain."""
    gain = worths[MODEL] - worths[against]
    noise = 1e-9 * np.maximum(np.abs(worths[MODEL]), np.abs(worths[against]))
    return np.where(np.abs(gain) <= noise, 0.0, gain)


def _binary(
    charter: Charter, learn: Part, judge: Part, learn_weights: np.ndarray, means: np.ndarray
) -> dict[str, np.ndarray]:
    per_case, share = charter.business.value.per_case, capacity_share(charter)
    assert per_case is not None
    (acting, leaving), (act, leave) = stakes(per_case, learn.known), stakes(per_case, judge.known)
    idle, draws = means @ leave, np.arange(len(means))
    found = {}
    for name, answer in learn.answers.items():
        usual, weights = (threshold(charter), learn_weights) if name == MODEL else (None, None)
        lines = pick_lines(rank(answer, acting - leaving, weights), usual, share)
        ranking = rank(judge.answers[name], act - leave, means)
        found[name] = idle + ranking.within(share, ranking.gain)[draws, ranking.at(lines)]
    # Whoever can act on some cases only, and knows nothing about them, acts on any of them.
    everybody = idle + (1.0 if share is None else share) * (means @ (act - leave))
    return {MODEL: found.pop(MODEL), ALL: everybody, NONE: idle, **found}


def _multiclass(
    charter: Charter, learn: Part, judge: Part, learn_weights: np.ndarray, means: np.ndarray
) -> dict[str, np.ndarray]:
    costs = cost_matrix(charter, learn.answers[MODEL].shape[1])
    policy = learn_policy(charter, "multiclass", learn.known, learn.answers[MODEL])
    found = {
        name: -means @ costs[judge.known.astype(int), policy.decide(answer)] for name, answer in judge.answers.items()
    }
    cheapest = costs[learn.known.astype(int)].sum(axis=0).argmin()
    constant = -(means @ costs[judge.known.astype(int), cheapest])
    return {MODEL: found.pop(MODEL), CONSTANT: constant, **found}


def _regression(
    charter: Charter, learn: Part, judge: Part, learn_weights: np.ndarray, means: np.ndarray
) -> dict[str, np.ndarray]:
    value = charter.business.value

    def of(answer: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        return np.asarray(-(means * miss_costs(value, judge.known - answer - shifts[:, None])).sum(axis=1))

    found = {}
    average = np.full(len(learn.known), learn.known.mean())
    options = {**learn.answers, CONSTANT: average}
    for name in (MODEL, CONSTANT, *(name for name in learn.answers if name != MODEL)):
        answer = judge.answers.get(name, np.full(len(judge.known), average[0]))
        weights = learn_weights if name == MODEL else None
        found[name] = of(answer, pick_shifts(value, learn.known - options[name], weights))
        found[name + PLAIN] = of(answer, np.zeros(1))
    return found
