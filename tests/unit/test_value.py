"""What decisions are worth, and how answers become decisions: by hand, and against known truths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.errors import UserError
from lab2live.poc.worth import ranking, value

KINDS = ("true_positive", "false_positive", "false_negative", "true_negative")
DEMO = (110, -15, 0, 0)
MATRIX = [[0, 5, 1], [2, 0, 3], [10, 1, 0]]


@pytest.fixture
def money(charter_of: Any) -> Any:
    """Make a charter from the four worths of a decision, or from other fields of its value block."""

    def _money(per_case: tuple[float, ...] | None = None, problem: str = "classification", **fields: Any) -> Any:
        if per_case is not None:
            fields["per_case"] = dict(zip(KINDS, per_case, strict=True))
        return charter_of(prediction={"problem_type": problem}, business={"value": fields})

    return _money


def test_a_decision_is_worth_what_the_charter_says(money: Any) -> None:
    charter = money((110, -15, -40, 3))
    known, acting = np.array([1, 0, 1, 0]), np.array([1, 1, 0, 0])
    assert value.worth(charter, "binary", known, acting).tolist() == [110, -15, -40, 3]
    assert value.worth(charter, "binary", known, np.full(4, 0.5)).tolist() == [35, -6, 35, -6]


def test_taking_one_class_for_another_costs_what_the_matrix_says(money: Any) -> None:
    charter = money(cost_matrix=MATRIX)
    known, decided = np.array([0, 0, 1, 2, 2]), np.array([0, 1, 2, 0, 2])
    assert value.worth(charter, "multiclass", known, decided).tolist() == [0, -5, -3, -10, 0]


def test_answering_too_low_and_too_high_have_their_own_price(money: Any) -> None:
    charter = money(problem="regression", cost_per_unit_under=9, cost_per_unit_over=2)
    worth = value.worth(charter, "regression", np.array([10.0, 10.0, 10.0]), np.array([8.0, 13.0, 10.0]))
    assert worth.tolist() == [-18, -6, 0]


@pytest.mark.parametrize(
    ("matrix", "found"),
    [
        ([[0, 1], [1, 0]], "2 rows of 2 numbers"),
        ([[0, 1, 2], [1, 0], [1, 1, 0]], "3 rows of 2 or 3 numbers"),
        ([], "0 rows of no numbers"),
    ],
)
def test_a_cost_matrix_that_does_not_fit_is_a_kind_error(money: Any, matrix: list[list[float]], found: str) -> None:
    charter, answers = money(cost_matrix=matrix), np.full((4, 3), 1 / 3)
    with pytest.raises(UserError, match="cost matrix") as error:
        value.learn_policy(charter, "multiclass", np.array([0, 1, 2, 0]), answers)
    assert error.value.details["found"] == found and "3 rows of 3" in error.value.details["expected"]
    assert "business.value.cost_matrix" in error.value.details["where"] and error.value.details["fix"]
    with pytest.raises(UserError, match="cost matrix"):
        value.worth(charter, "multiclass", np.array([0, 2]), np.array([2, 0]))


@pytest.mark.parametrize(
    ("problem", "fields", "said"),
    [
        ("binary", {}, "per_case"),
        ("multiclass", {"per_case": DEMO}, "cost_matrix"),
        ("regression", {"cost_per_unit_under": 1}, "cost_per_unit_over"),
        ("regression", {"cost_per_unit_under": 0, "cost_per_unit_over": 0}, "cost_per_unit_over"),
    ],
)
def test_missing_money_is_named_and_decisions_are_the_plain_ones(
    money: Any, problem: Any, fields: dict[str, Any], said: str
) -> None:
    charter = money(problem="regression" if problem == "regression" else "classification", **fields)
    assert said in value.no_money(charter, problem)
    with pytest.raises(UserError, match=said):
        value.worth(charter, problem, np.zeros(2), np.zeros(2))
    answers = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]) if problem == "multiclass" else np.array([0.49, 0.5])
    decided = value.learn_policy(charter, problem, np.array([0, 1]), answers).decide(answers)
    assert decided.tolist() == {"binary": [0, 1], "multiclass": [1, 0], "regression": [0.49, 0.5]}[problem]


def draw(seed: int, rows: int, overconfident: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw outcomes, probabilities as stated, and true ones."""
    random = np.random.default_rng(seed)
    margin = -1.5 + random.normal(size=rows)
    truth = 1 / (1 + np.exp(-margin))
    stated = 1 / (1 + np.exp(-overconfident * margin))
    return (random.random(rows) < truth).astype(int), stated, truth


@pytest.mark.parametrize(
    ("overconfident", "probabilities"), [(1.0, True), (3.0, True), (0.3, True), (1.0, False), (3.0, False)]
)
@pytest.mark.parametrize("per_case", [DEMO, (30, -15, 0, 0), (20, -5, -20, 5)])
def test_the_chosen_line_forgoes_hardly_anything(
    money: Any, overconfident: float, probabilities: bool, per_case: tuple[float, ...]
) -> None:
    charter = money(per_case)
    _, stated, truth = draw(999, 100_000, overconfident)
    tp, fp, fn, tn = per_case
    gains = truth * (tp - fn) + (1 - truth) * (fp - tn)
    population = ranking.rank(stated, gains)
    best, worst = population.gain.max(), min(0.0, population.gain[0, -1])
    regrets = []
    for seed in range(15):
        known, answers, _ = draw(seed, 2000, overconfident)
        policy = value.learn_policy(charter, "binary", known, answers, probabilities)
        regrets.append((best - population.gain[0, population.at(policy.line)]) / (best - worst))
    assert np.median(regrets) <= 0.02


def test_calibrated_probabilities_are_taken_at_their_word_more_often_than_not(money: Any) -> None:
    charter = money(DEMO)
    lines = [value.learn_policy(charter, "binary", *draw(seed, 2000)[:2]).line for seed in range(30)]
    assert np.mean(np.isclose(lines, value.threshold(charter))) > 0.5


@pytest.mark.parametrize(("per_case", "acted"), [((10, 5, 0, 0), 1.0), ((0, -5, 0, 0), 0.0), ((-1, -2, 0, 0), 0.0)])
@pytest.mark.parametrize("probabilities", [True, False])
def test_where_one_answer_is_always_better_it_is_always_given(
    money: Any, per_case: tuple[float, ...], acted: float, probabilities: bool
) -> None:
    known, answers, _ = draw(0, 500)
    policy = value.learn_policy(money(per_case), "binary", known, answers, probabilities)
    assert policy.decide(np.array([0.0, 0.3, 1.0])).mean() == acted


def test_the_line_of_a_rule_is_where_it_earns_most(money: Any) -> None:
    known = np.array([0, 0, 0, 1, 0, 1, 1])
    scores = np.array([1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0])
    policy = value.learn_policy(money((10, -7, 0, 0)), "binary", known, scores, probabilities=False)
    assert policy.line == pytest.approx(1.5)  # level 2 brings 10 - 7, level 1 costs 14
    policy = value.learn_policy(money((10, -12, 0, 0)), "binary", known, scores, probabilities=False)
    assert policy.line == pytest.approx(2.5)


def test_rows_without_an_answer_have_no_say(money: Any) -> None:
    known, answers, _ = draw(0, 500)
    gaps = np.r_[answers, np.full(50, np.nan)]
    policy = value.learn_policy(money(DEMO), "binary", np.r_[known, np.ones(50)], gaps, False)
    assert policy == value.learn_policy(money(DEMO), "binary", known, answers, False)
    nothing = value.learn_policy(money(DEMO), "binary", known, np.full(500, np.nan))
    assert nothing.line == pytest.approx(15 / 125)


def test_capacity_goes_to_the_highest_scores_and_to_equals_by_the_same_chance(money: Any) -> None:
    charter = money((1, 1, 0, 0), cases_per_month=100, capacity_per_month=50)
    assert value.capacity_share(charter) == 0.5
    policy = value.learn_policy(charter, "binary", np.array([0, 1]), np.array([0.2, 0.8]))
    assert policy.decide(np.array([0.1, 0.9, 0.5, 0.3])).tolist() == [0, 1, 1, 0]
    assert policy.decide(np.array([0.9, 0.5, 0.5, 0.5])).tolist() == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3])
    assert value.capacity_share(money(DEMO, capacity_per_month=50)) is None
    assert value.capacity_share(money(DEMO, capacity_per_month=50, cases_per_month=20)) is None


@given(
    scores=st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.9]), min_size=1, max_size=30),
    share=st.floats(0.01, 0.99),
    line=st.sampled_from([-np.inf, 0.15, 0.2, 0.7, np.inf]),
    seed=st.integers(0, 100),
)
def test_sums_along_a_ranking_are_what_the_decisions_earn(
    scores: list[float], share: float, line: float, seed: int
) -> None:
    answers = np.array(scores)
    gains = np.random.default_rng(seed).normal(size=len(scores))
    decisions = value.Policy("binary", line, share).decide(answers)
    assert decisions.sum() <= share * len(scores) + 1e-9 and ((decisions >= 0) & (decisions <= 1)).all()
    ranked = ranking.rank(answers, gains)
    summed = ranked.within(share, ranked.gain)[0, ranked.at(line)]
    assert summed == pytest.approx((decisions * gains).sum(), abs=1e-9)


@given(seed=st.integers(0, 1000), rows=st.integers(2, 40))
def test_counting_a_row_twice_is_having_it_twice(seed: int, rows: int) -> None:
    random = np.random.default_rng(seed)
    scores, gains = random.integers(0, 9, rows) / 10, random.normal(size=rows)
    counts = random.integers(0, 4, rows)
    counts[0] += 1
    weighted = ranking.pick_lines(ranking.rank(scores, gains, counts[None, :]), 0.45, 0.5)
    repeated = ranking.pick_lines(ranking.rank(np.repeat(scores, counts), np.repeat(gains, counts)), 0.45, 0.5)
    # where a level was not drawn the line may lie elsewhere in the same gap
    drawn = scores[counts > 0]
    assert ((drawn >= weighted[0]) == (drawn >= repeated[0])).all()


def test_the_class_with_the_least_expected_cost_is_decided_for(money: Any) -> None:
    policy = value.learn_policy(money(cost_matrix=MATRIX), "multiclass", np.arange(3), np.eye(3))
    # 0.9 sure of the first class; but to miss the third costs 10: costs of deciding are 1.0, 4.6, 0.9
    assert policy.decide(np.array([[0.9, 0.0, 0.1], [1, 0, 0]])).tolist() == [2, 0]
    assert policy.decide(np.array([2, 0])).tolist() == [2, 0]


@pytest.mark.parametrize(("under", "over"), [(9, 1), (1, 1), (1, 4)])
def test_a_number_is_shifted_to_where_both_mistakes_cost_least(money: Any, under: float, over: float) -> None:
    charter = money(problem="regression", cost_per_unit_under=under, cost_per_unit_over=over)
    random = np.random.default_rng(0)
    answers = random.normal(size=999)
    known = answers + random.gamma(1.0, 2.0, 999)
    policy = value.learn_policy(charter, "regression", known, answers)
    assert policy.shift == pytest.approx(-2 * np.log(1 - under / (under + over)), abs=0.5)

    def earned(shift: float) -> float:
        return float(value.worth(charter, "regression", known, answers + shift).sum())

    assert earned(policy.shift) >= max(earned(policy.shift + step) for step in (-0.3, -0.05, 0.05, 0.3))
