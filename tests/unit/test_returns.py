"""Is it worth it: by hand, against known truths, with and without money, volumes and costs."""

from __future__ import annotations

import dataclasses
import json
import time
from typing import Any

import numpy as np
import pytest

from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth import alternatives, returns, telling_money, value
from lab2live.poc.worth.returns import Range
from lab2live.reporting import plots

KINDS = ("true_positive", "false_positive", "false_negative", "true_negative")
COSTS = {"cases_per_month": 8000, "build_cost": 60000, "run_cost_per_month": 2500, "horizon_months": 24}
MATRIX = [[0, 5, 1], [2, 0, 3], [10, 1, 0]]


@pytest.fixture
def money(charter_of: Any) -> Any:
    def _money(per_case: tuple[float, ...] | None = None, problem: str = "classification", **fields: Any) -> Any:
        if per_case is not None:
            fields["per_case"] = dict(zip(KINDS, per_case, strict=True))
        return charter_of(prediction={"problem_type": problem}, business={"value": fields})

    return _money


def draw(random: np.random.Generator, rows: int, good: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw outcomes, the probabilities of a calibrated model, today's scores, and true probabilities."""
    seen, hidden = random.normal(size=(2, rows))
    truth = 1 / (1 + np.exp(-(-1.5 + good * seen)))
    return (random.random(rows) < truth).astype(int), truth, np.where(seen + hidden > 1, 0.5, 0.1), truth


def binary(seed: int = 0, rows: int = 2000, good: float = 1.5, rule: bool = True, **more: Any) -> Answers:
    random = np.random.default_rng(seed)
    (known, out, rule_out, _), (test_known, test, rule_test, _) = (
        draw(random, rows, good),
        draw(random, rows // 4, good),
    )
    folds, tested = {"linear": out}, {"linear": test}
    if rule:
        folds["rule"], tested["rule"] = rule_out, rule_test
    return Answers("binary", known, folds, test_known, tested, **more)


def regression(seed: int = 0, rows: int = 1200) -> Answers:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    known, cut = 10 + 3 * x + random.gamma(1.0, 2.0, rows), rows * 3 // 4
    model, rule = 12 + 3 * x, np.where(x > 0, 14.0, 10.0)
    return Answers(
        "regression",
        known[:cut],
        {"linear": model[:cut], "rule": rule[:cut]},
        known[cut:],
        {"linear": model[cut:], "rule": rule[cut:]},
    )


def multiclass(seed: int = 0, rows: int = 1200) -> Answers:
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    weights = np.exp(np.c_[np.zeros(rows), 2 * x, -2 * x])
    truth = weights / weights.sum(axis=1, keepdims=True)
    known, cut = (random.random(rows)[:, None] > truth.cumsum(axis=1)).sum(axis=1), rows * 3 // 4
    rule = (x > 0).astype(int)
    return Answers(
        "multiclass",
        known[:cut],
        {"boosting": truth[:cut], "rule": rule[:cut]},
        known[cut:],
        {"boosting": truth[cut:], "rule": rule[cut:]},
    )


def test_a_model_that_knows_everything_by_hand(money: Any) -> None:
    known = np.tile([1, 0, 0, 0], 100)
    sure = known.astype(float)
    found = returns.returns(
        money((10, -5, 0, 0), **COSTS), Answers("binary", known, {"m": sure}, known, {"m": sure}), "m"
    )
    assert {option.name for option in found.options} == {"model", "all", "none"}
    assert found.option("none").per_case == Range(0, 0, 0) and found.against == "none"
    model, everybody = found.option("model"), found.option("all")
    assert model.per_case.middle == pytest.approx(2.5, abs=0.1)
    assert everybody.per_case.middle == pytest.approx(-1.25, abs=0.15)
    assert found.gain_per_case == model.per_case
    assert found.curve is not None and found.curve.chosen_share == 0.25
    assert found.curve.chosen == pytest.approx(2.5 * 8000)
    assert found.curve.model[25] == pytest.approx(2.5 * 8000) and found.curve.model[-1] == pytest.approx(-1.25 * 8000)


def test_return_and_month_of_break_even_follow_from_the_gain(money: Any) -> None:
    found = returns.returns(money((110, -15, 0, 0), **COSTS), binary(), "linear")
    assert found.gain_per_month is not None and found.net is not None and found.roi is not None
    assert found.invested == 60000 + 24 * 2500
    for end in ("low", "middle", "high"):
        gain = getattr(found.gain_per_month, end)
        assert gain == pytest.approx(getattr(found.gain_per_case, end) * 8000)
        assert getattr(found.net, end) == pytest.approx(gain * 24 - 120000)
        assert getattr(found.roi, end) == pytest.approx((gain * 24 - 120000) / 120000)
    assert found.break_even is not None and found.gain_per_month.middle is not None
    assert found.break_even.middle == pytest.approx(60000 / (found.gain_per_month.middle - 2500), rel=0.02)
    assert found.evidence.value == found.positive
    assert found.evidence.message == telling_money.verdict_sentence(found)


def test_nine_in_ten_intervals_hold_the_truth(money: Any) -> None:
    charter = money((110, -15, 0, 0), **COSTS, capacity_per_month=2500)
    random = np.random.default_rng(99)
    _, model, rule, truth = draw(random, 100_000, 1.5)
    gains = truth * 110 - (1 - truth) * 15
    held = []
    for seed in range(60):
        answers = binary(seed, 1200)
        found = returns.returns(charter, answers, "linear", seed=seed, resamples=150)
        learn = (charter, "binary", answers.known)
        worth = (value.learn_policy(*learn, answers.out_of_fold["linear"]).decide(model) * gains).mean()
        other = (value.learn_policy(*learn, answers.out_of_fold["rule"], False).decide(rule) * gains).mean()
        assert found.against == "rule" and found.roi is not None
        roi = ((worth - other) * 8000 * 24 - 120000) / 120000
        per_case = found.option("model").per_case
        assert None not in (per_case.low, per_case.high, found.roi.low, found.roi.high)
        held.append((per_case.low <= worth <= per_case.high, found.roi.low <= roi <= found.roi.high))
    assert ((np.mean(held, axis=0) > 0.79) & (np.mean(held, axis=0) < 0.99)).all()


def test_two_calls_are_equal_and_another_seed_is_close(money: Any) -> None:
    charter, answers = money((110, -15, 0, 0), **COSTS), binary()
    first = returns.returns(charter, answers, "linear", seed=3)
    assert first == returns.returns(charter, answers, "linear", seed=3)
    other = returns.returns(charter, answers, "linear", seed=4)
    assert other != first and first.gain_per_case is not None and other.gain_per_case is not None
    assert other.gain_per_case.middle == pytest.approx(first.gain_per_case.middle, rel=0.1)


def test_the_test_part_has_no_say_in_what_is_compared_with(money: Any) -> None:
    charter, answers = money((110, -15, 0, 0), **COSTS), binary()
    turned = dataclasses.replace(answers, test_known=1 - answers.test_known)
    first, second = (returns.returns(charter, given, "linear") for given in (answers, turned))
    assert first.against == second.against and first.gain_per_case != second.gain_per_case
    assert [option.decides for option in first.options] == [option.decides for option in second.options]


def test_rows_that_belong_together_say_less(money: Any) -> None:
    answers = binary(rows=800)
    tenfold = np.repeat(np.arange(200), 10)
    copies = dataclasses.replace(
        answers,
        test_known=answers.test_known[tenfold],
        test={name: answer[tenfold] for name, answer in answers.test.items()},
    )
    charter = money((110, -15, 0, 0))

    def width(given: Answers) -> float:
        per_case = returns.returns(charter, given, "linear").option("model").per_case
        assert per_case.low is not None and per_case.high is not None
        return per_case.high - per_case.low

    together = width(dataclasses.replace(copies, test_groups=tenfold))
    assert together > 2 * width(copies) and together == pytest.approx(width(answers), rel=0.25)


def test_without_money_there_is_nothing_but_the_reason(money: Any) -> None:
    found = returns.returns(money(), binary(), "linear")
    assert found.options == () and found.curve is None and found.positive is None
    assert found.evidence.value is None and found.evidence.message == found.lacking and "per_case" in found.lacking
    assert telling_money.returns_table(found).empty
    # the reason stands where the table would stand, and is not said again
    said = [telling_money.returns_sentence(found), telling_money.break_even_sentence(found)]
    assert len(set(said)) == 2 and not any("puts no money" in text for text in said)
    assert telling_money.curve_sentence(found) == "" and plots.alt(found.figure()).startswith("Without money")
    assert returns.returns(money(cost_per_unit_under=1), regression(), "linear").options == ()


def test_without_volumes_there_is_value_per_case_only(money: Any) -> None:
    found = returns.returns(money((110, -15, 0, 0), build_cost=5), binary(), "linear")
    assert found.gain_per_case is not None and found.gain_per_month is found.roi is found.net is None
    assert found.evidence.value is None and "cases_per_month" in found.lacking and "build_cost" not in found.lacking
    assert "EUR a case" in telling_money.returns_sentence(found)
    assert list(telling_money.returns_table(found))[2:] == ["EUR per case"]


@pytest.mark.parametrize("field", ["build_cost", "run_cost_per_month", "horizon_months"])
def test_without_costs_or_horizon_there_is_no_return(money: Any, field: str) -> None:
    found = returns.returns(money((110, -15, 0, 0), **(COSTS | {field: None})), binary(), "linear")
    assert found.gain_per_month is not None and found.roi is None and found.positive is None
    assert field in found.evidence.message


def test_what_costs_nothing_has_no_return_on_investment_but_pays_at_once(money: Any) -> None:
    free = COSTS | {"build_cost": 0, "run_cost_per_month": 0}
    found = returns.returns(money((110, -15, 0, 0), **free), binary(good=3), "linear")
    assert found.roi is None and found.positive == 1 and found.break_even == Range(0, 0, 0)
    assert "cost nothing" in telling_money.returns_sentence(found)
    assert "first month" in telling_money.break_even_sentence(found)


def test_a_model_that_knows_nothing_never_pays_back(money: Any) -> None:
    random = np.random.default_rng(0)
    known, test_known = (random.random(1000) < 0.2).astype(int), (random.random(400) < 0.2).astype(int)
    answers = Answers("binary", known, {"m": np.full(1000, 0.2)}, test_known, {"m": np.full(400, 0.2)})
    found = returns.returns(money((110, -15, 0, 0), **COSTS), answers, "m")
    assert found.against == "all" and found.gain_per_case == Range(0, 0, 0)
    assert found.break_even == Range(None, None, None) and found.positive == 0
    assert "never paid back" in telling_money.break_even_sentence(found)
    free = returns.returns(
        money((110, -15, 0, 0), **(COSTS | {"build_cost": 0, "run_cost_per_month": 0})), answers, "m"
    )
    assert free.positive == 0, "what is lost in rounding is no gain"
    assert "below 1%" in found.evidence.message and "does not clearly" in telling_money.headline(found)


@pytest.mark.parametrize(("per_case", "against"), [((10, 5, 0, 0), "all"), ((0, -5, 0, 0), "none")])
def test_where_one_answer_is_always_better_no_model_earns_more(
    money: Any, per_case: tuple[float, ...], against: str
) -> None:
    found = returns.returns(money(per_case, **COSTS), binary(rule=False), "linear")
    assert found.against == against and found.gain_per_case is not None
    assert found.gain_per_case.high == pytest.approx(0, abs=1e-9) and found.positive == 0


def test_with_capacity_everybody_means_as_many_as_possible_by_lot(money: Any) -> None:
    answers = binary()
    free = returns.returns(money((110, -15, 0, 0), **COSTS), answers, "linear")
    tight = returns.returns(money((110, -15, 0, 0), **COSTS, capacity_per_month=800), answers, "linear")
    assert tight.curve is not None and tight.curve.capacity == 0.1
    assert tight.curve.chosen_share == pytest.approx(0.1)
    assert "all that capacity allows" in telling_money.curve_sentence(tight)
    assert tight.option("all").title == "Act on 10% by lot" and tight.option("all").per_case.middle == pytest.approx(
        0.1 * free.option("all").per_case.middle
    )
    assert tight.option("model").per_case.middle < free.option("model").per_case.middle


def test_regression_is_compared_with_constant_and_rule_shifted_and_plain(money: Any) -> None:
    charter = money(problem="regression", cost_per_unit_under=9, cost_per_unit_over=1, **COSTS)
    answers = regression()
    found = returns.returns(charter, answers, "linear")
    assert [option.name for option in found.options] == ["model", "constant", "rule"] and found.curve is None
    for option in found.options:
        assert option.plain is not None and option.plain.middle < option.per_case.middle, "under costs nine times over"
    plain = value.worth(charter, "regression", answers.test_known, answers.test["linear"]).mean()
    assert found.option("model").plain.middle == pytest.approx(plain, rel=0.05)
    assert found.against == "rule" and found.gain_per_case.low > 0
    assert "EUR per case, unshifted" in telling_money.returns_table(found)
    assert plots.alt(found.figure()).startswith("The model earns about")


def test_with_more_classes_the_cheapest_constant_and_the_rule_are_compared_with(money: Any) -> None:
    charter, answers = money(cost_matrix=MATRIX, **COSTS), multiclass()
    found = returns.returns(charter, answers, "boosting")
    assert [option.name for option in found.options] == ["model", "constant", "rule"]
    worths = {
        name: value.worth(charter, "multiclass", answers.test_known, decided).mean()
        for name, decided in {
            "constant": np.full(300, 2),  # column sums: 12, 6, 4
            "rule": answers.test["rule"],
        }.items()
    }
    for name, worth in worths.items():
        assert found.option(name).per_case.middle == pytest.approx(worth, abs=0.1)
    assert found.gain_per_case.low > 0


def test_results_are_plain_data(money: Any) -> None:
    for charter, answers, chosen in (
        (money((110, -15, 0, 0), **COSTS), binary(), "linear"),
        (money((110, -15, 0, 0), **(COSTS | {"run_cost_per_month": 1e9})), binary(), "linear"),
        (money(cost_matrix=MATRIX, **COSTS), multiclass(), "boosting"),
    ):
        found = returns.returns(charter, answers, chosen)
        assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["against"] == found.against


def test_rows_never_held_out_are_left_out(money: Any) -> None:
    answers = binary()
    gaps = {name: answer.copy() for name, answer in answers.out_of_fold.items()}
    gaps["linear"][:500] = np.nan
    learn, _ = alternatives.split_parts(dataclasses.replace(answers, out_of_fold=gaps), "linear")
    assert len(learn.known) == 1500 and not np.isnan(learn.answers["model"]).any()
    gaps["linear"][:] = np.nan
    found = returns.returns(money((110, -15, 0, 0)), dataclasses.replace(answers, out_of_fold=gaps), "linear")
    assert found.evidence.value is None and "out of fold" in found.lacking


def test_it_takes_no_longer_than_a_reader_waits(money: Any) -> None:
    charter, answers = money((110, -15, 0, 0), **COSTS, capacity_per_month=2500), binary(rows=6400)
    started = time.process_time()
    returns.returns(charter, answers, "linear")
    assert time.process_time() - started < 5  # about half a second where nothing else runs


@pytest.mark.parametrize(("example", "title"), [(True, "Generated example rule"), (False, "Today's rule")])
def test_the_rule_that_came_with_the_template_is_not_called_todays(
    money: Any, monkeypatch: pytest.MonkeyPatch, example: bool, title: str
) -> None:
    monkeypatch.setattr("lab2live.pipeline.hooks.rule_is_example", lambda charter: example)
    found = returns.returns(money((100, -20, 0, 0), **COSTS), binary(), "linear", resamples=40)
    assert found.option("rule").title == title
