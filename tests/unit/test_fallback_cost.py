"""What a fallback costs: by hand, on cases whose worth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import gates
from lab2live.handoff import fallback_cost
from lab2live.poc.worth.value import Policy
from lab2live.reporting import plots

PER_CASE = {"true_positive": 110, "false_positive": -15, "false_negative": 0, "true_negative": 0}
MONEY = {
    "per_case": PER_CASE,
    "cases_per_month": 1000,
    "review": {"cost_per_case": 6},
    "build_cost": 0,
    "run_cost_per_month": 1000,
    "horizon_months": 12,
}
RETURNS = {"gain_per_month": {"low": 9000.0, "middle": 13000.0, "high": 17000.0}, "lacking": ""}
KNOWN = np.tile([1, 0, 0, 0], 50)
# A model that is right about every case.
PERFECT = np.where(KNOWN == 1, 0.9, 0.1)
BINARY = Policy("binary", line=0.5)


def decided(who: str, share: float, output: str, trigger: str = "low_confidence") -> pd.DataFrame:
    """Hand the first cases over to somebody, who answers the same about all of them."""
    theirs = np.arange(len(KNOWN)) < round(share * len(KNOWN))
    return pd.DataFrame(
        {
            "served_by": np.where(theirs, who, "model"),
            "reason": np.where(theirs, trigger, ""),
            "prediction": np.where(theirs, output, np.where(PERFECT > 0.5, "yes", "no")),
        }
    )


@pytest.fixture
def measure(charter_of: Any) -> Any:
    def _measure(
        decided: pd.DataFrame,
        money: dict[str, Any] | None = None,
        answers: np.ndarray = PERFECT,
        returns: Any = RETURNS,
        policy: Policy = BINARY,
    ) -> fallback_cost.Cost:
        charter = charter_of(business={"value": MONEY if money is None else money})
        return fallback_cost.measure(charter, ["no", "yes"], policy, KNOWN, answers, decided, returns)

    return _measure


def test_a_rule_that_leaves_everybody_alone_costs_what_the_model_would_have_earned(measure: Any) -> None:
    cost = measure(decided("rule", 0.2, "no", "out_of_distribution"))
    # of 1,000 cases a month 200 go to the rule, and a quarter of them is worth 110 each
    assert cost.share == pytest.approx(0.2) and cost.low < 0.2 < cost.high
    assert cost.per_month.middle == pytest.approx(200 * 0.25 * 110, rel=0.15)
    assert cost.per_month.low < 5500 < cost.per_month.high
    assert cost.if_right is None
    # 12,000 are left a month after running it; a case that is handed over costs 27.50
    assert cost.gain.middle == 12000
    assert cost.break_even.middle == pytest.approx(12000 / (1000 * 27.5))
    (part,) = cost.parts
    assert (part.trigger, part.who, part.cases) == ("out_of_distribution", "rule", 40)
    assert part.per_month == cost.per_month


def test_a_person_costs_the_review_and_may_do_better_than_the_model(measure: Any) -> None:
    always_no = np.full(len(KNOWN), 0.1)
    cost = measure(decided("review", 0.5, ""), answers=always_no)
    assert cost.per_month.middle == pytest.approx(3000, rel=0.1)  # 500 reviews of 6
    # who is always right finds the quarter that the model leaves alone
    assert cost.if_right.middle == pytest.approx(3000 - 500 * 0.25 * 110, rel=0.15)
    says = fallback_cost.sentence(cost)
    assert "22% of what the model would lose" in says and "brings about" in says


def test_persons_who_have_nothing_to_mend_do_not_pay(measure: Any) -> None:
    assert "always right would not earn back" in fallback_cost.sentence(measure(decided("review", 0.5, "")))


@pytest.mark.parametrize(("who", "share", "status"), [("review", 0.1, "pass"), ("rule", 0.5, "warn")])
def test_the_gate_passes_and_warns_by_the_share_of_the_gain_that_is_lost(
    measure: Any, who: str, share: float, status: str
) -> None:
    answer = fallback_cost.verdict(measure(decided(who, share, "no" if who == "rule" else "")))
    value, message = answer.value, answer.message
    assert gates.judge("handoff.fallback_cost", value, message).status == status
    assert "whole gain" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"per_case": None}, "business.value.per_case"),
        ({"review": None}, "business.value.review.cost_per_case"),
        ({"run_cost_per_month": None}, "business.value.run_cost_per_month"),
    ],
)
def test_without_money_it_is_skipped_with_the_reason_and_the_rate_is_still_told(
    measure: Any, change: dict[str, Any], said: str
) -> None:
    cost = measure(decided("review", 0.5, ""), {**MONEY, **change})
    answer = fallback_cost.verdict(cost)
    value, message = answer.value, answer.message
    assert gates.judge("handoff.fallback_cost", value, message).status == "skip" and said in message
    assert "50.0%" in fallback_cost.sentence(cost)
    assert fallback_cost.table(cost)["costs a month"].tolist() == ["not known"]


@pytest.mark.parametrize("returns", [None, {"gain_per_month": None, "lacking": "No money."}])
def test_without_a_proof_of_concept_it_is_skipped(measure: Any, returns: Any) -> None:
    answer = fallback_cost.verdict(measure(decided("review", 0.5, ""), returns=returns))
    value, message = answer.value, answer.message
    assert value is None and message


def test_a_model_that_leaves_nothing_has_nothing_to_lose(measure: Any) -> None:
    poor = {"gain_per_month": {"low": 0.0, "middle": 500.0, "high": 1000.0}, "lacking": ""}
    answer = fallback_cost.verdict(measure(decided("review", 0.5, ""), returns=poor))
    value, message = answer.value, answer.message
    assert value is None and "leaves nothing" in message


def test_a_fallback_that_never_steps_in_costs_nothing(measure: Any) -> None:
    cost = measure(decided("rule", 0.0, "no"))
    answer = fallback_cost.verdict(cost)
    assert answer.value == 0 and answer.table is None and answer.figure is None
    assert answer.message.startswith("Of 200 rows of the test set the fallback would step in for 0.0%")
    assert fallback_cost.table(cost).empty and cost.high > 0  # none of 200 is not never


def test_a_fallback_better_than_the_model_costs_nothing(measure: Any) -> None:
    cost = measure(decided("rule", 1.0, "yes"), answers=np.full(len(KNOWN), 0.1))
    answer = fallback_cost.verdict(cost)
    value, message = answer.value, answer.message
    assert value == 0.0 and "No rate" in message and cost.break_even is None


def test_cases_that_a_rule_would_act_on_compete_for_a_limited_capacity(measure: Any) -> None:
    limited = Policy("binary", line=0.5, share=0.25)
    free, tight = (measure(decided("rule", 1.0, "yes"), policy=policy) for policy in (BINARY, limited))
    # acting on everybody costs 15 for three quarters; acting on a quarter by lot loses three quarters of the good ones
    assert free.per_month.middle == pytest.approx(1000 * 0.75 * 15, rel=0.1)
    assert tight.per_month.middle == pytest.approx(1000 * 0.1875 * (110 + 15), rel=0.1)


def test_numbers_and_several_classes_are_valued_by_their_own_costs(charter_of: Any) -> None:
    costs = {key: value for key, value in MONEY.items() if key != "per_case"}
    number = charter_of(
        prediction={"problem_type": "regression"},
        business={"value": {**costs, "cost_per_unit_under": 2, "cost_per_unit_over": 1}},
    )
    known = np.full(100, 10.0)
    told = pd.DataFrame({"served_by": ["rule"] * 100, "reason": ["drift"] * 100, "prediction": [7.0] * 100})
    cost = fallback_cost.measure(number, [], Policy("regression", shift=1.0), known, known - 1, told, RETURNS)
    assert cost.per_month is not None and cost.per_month.middle == pytest.approx(1000 * 3 * 2)

    matrix = [[0, 5, 1], [2, 0, 3], [10, 1, 0]]
    several = charter_of(business={"value": {**costs, "cost_matrix": matrix}})
    codes = np.tile([0, 1], 50)
    told = told.assign(prediction="c")
    policy = Policy("multiclass", costs=tuple(map(tuple, matrix)))
    cost = fallback_cost.measure(several, ["a", "b", "c"], policy, codes, np.eye(3)[codes], told, RETURNS)
    assert cost.per_month is not None and cost.per_month.middle == pytest.approx(1000 * (1 + 3) / 2, rel=0.1)


def test_groups_are_drawn_whole(charter_of: Any) -> None:
    charter = charter_of(business={"value": MONEY})
    told = decided("rule", 0.2, "no")
    groups = np.arange(len(KNOWN)) // 40  # all that are handed over are one group
    alone = fallback_cost.measure(charter, ["no", "yes"], BINARY, KNOWN, PERFECT, told, RETURNS)
    grouped = fallback_cost.measure(charter, ["no", "yes"], BINARY, KNOWN, PERFECT, told, RETURNS, groups=groups)
    assert alone.per_month and grouped.per_month
    assert (grouped.per_month.high or 0) > 1.3 * (alone.per_month.high or 0)


def test_the_picture_says_where_nothing_is_left(measure: Any) -> None:
    answer = fallback_cost.verdict(measure(decided("rule", 0.2, "no")))
    assert answer.figure is not None and answer.table is not None and answer.data["fallback_cost"]["cases"] == 200
    figure = answer.figure
    assert plots.heading(figure) == "The fallback leaves most of what the model brings"
    assert "nothing is left from 44% on" in plots.alt(figure)


def test_what_a_rule_loses_is_no_matter_of_the_persons(measure: Any) -> None:
    always_no = np.full(len(KNOWN), 0.1)
    reviewed = decided("review", 0.5, "")
    by_rule = np.arange(len(KNOWN)) >= 150
    both = reviewed.assign(
        served_by=np.where(by_rule, "rule", reviewed["served_by"]),
        reason=np.where(by_rule, "drift", reviewed["reason"]),
        prediction=np.where(by_rule, "yes", reviewed["prediction"]),
    )
    alone, beside = measure(reviewed, answers=always_no), measure(both, answers=always_no)
    assert beside.reviews == alone.reviews and beside.if_right == alone.if_right
    assert "22% of what the model would lose" in fallback_cost.sentence(beside)


def test_groups_of_any_size_weigh_by_their_cases(charter_of: Any) -> None:
    charter = charter_of(business={"value": MONEY})
    groups = np.where(np.arange(len(KNOWN)) < 100, 0, np.arange(len(KNOWN)))  # one of them is half of all cases
    told = decided("review", 1.0, "")
    cost = fallback_cost.measure(charter, ["no", "yes"], BINARY, KNOWN, PERFECT, told, RETURNS, groups=groups)
    assert cost.reviews is not None and (cost.reviews.low, cost.reviews.high) == pytest.approx((6000, 6000))


def test_the_referral_rate_is_the_share_that_people_decide_with_its_interval(charter_of: Any) -> None:
    charter = charter_of(business={"value": {"cases_per_month": 1000}})
    rate = fallback_cost.referral_rate(pd.DataFrame({"served_by": ["review"] * 30 + ["rule"] * 20 + ["model"] * 50}))
    assert (rate["value"], rate["level"], rate["unit"]) == (0.3, 0.95, "share")
    assert rate["low"] == pytest.approx(0.219, abs=1e-3) and rate["high"] == pytest.approx(0.396, abs=1e-3)
    month = fallback_cost.reviews_per_month(rate, charter)
    assert (month["value"], month["unit"]) == (300, "reviews") and month["high"] == pytest.approx(396, abs=1)
    assert fallback_cost.reviews_per_month(rate, charter_of()) == {"value": None}
