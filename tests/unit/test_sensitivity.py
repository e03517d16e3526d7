"""Which assumption kills it: known by hand where the model knows everything."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lab2live.poc.comparison.answers import Answers
from lab2live.poc.worth import returns, sensitivity
from lab2live.poc.worth.sensitivity import Sensitivity
from lab2live.reporting import plots

KINDS = ("true_positive", "false_positive", "false_negative", "true_negative")
COSTS = {"cases_per_month": 100, "build_cost": 1000, "run_cost_per_month": 50, "horizon_months": 10}


@pytest.fixture
def money(charter_of: Any) -> Any:
    def _money(per_case: tuple[float, ...] | None = None, problem: str = "classification", **fields: Any) -> Any:
        if per_case is not None:
            fields["per_case"] = dict(zip(KINDS, per_case, strict=True))
        return charter_of(prediction={"problem_type": problem}, business={"value": fields})

    return _money


def perfect() -> Answers:
    """Answer as if everything were known: a quarter of the cases is positive."""
    known = np.tile([1, 0, 0, 0], 100)
    return Answers("binary", known, {"m": known.astype(float)}, known, {"m": known.astype(float)})


def vary(charter: Any, answers: Answers, chosen: str = "m") -> Sensitivity:
    return sensitivity.sensitivity(charter, answers, chosen, returns.returns(charter, answers, chosen, resamples=100))


def test_every_assumption_turns_the_return_where_it_does_by_hand(money: Any) -> None:
    # acting on all loses 5 * 3/4 - 10 / 4 a case, so nothing is the alternative: 2.5 a case, 250 a month
    found = vary(money((10, -5, 0, 0), **COSTS), perfect())
    assert found.base == pytest.approx(250 * 10 - 1000 - 500) and found.measure == "left after 10 months"
    levers = {lever.name: lever for lever in found.levers}
    assert set(levers) == {"true_positive", "false_positive", *COSTS, "score"}
    zero = {
        "true_positive": 6.0,  # 1.5 a case pay for 150 a month
        "cases_per_month": 60.0,
        "build_cost": 2000.0,
        "run_cost_per_month": 150.0,
        "horizon_months": 5.0,
    }
    for name, turn in zero.items():
        assert levers[name].break_even == pytest.approx(turn, rel=1e-3), name
    assert levers["true_positive"].at_low == pytest.approx(175 * 10 - 1500)
    # worth 13, acting on all still loses: 3.25 a case
    assert levers["true_positive"].at_high == pytest.approx(325 * 10 - 1500)
    assert levers["build_cost"].at_low == pytest.approx(1300) and levers["build_cost"].at_high == pytest.approx(700)
    # from -10 / 3 towards nothing acting on all gets worth it: the model saves 3/4 of the false alarm
    assert levers["false_positive"].break_even == pytest.approx(-2.0, rel=1e-3)


def test_the_largest_swing_comes_first_and_both_ends_on_one_side_count(money: Any) -> None:
    found = vary(money((10, -5, 0, 0), **COSTS), perfect())
    swings = [lever.swing for lever in found.levers]
    assert swings == sorted(swings, reverse=True)
    for lever in found.levers:
        reach = (lever.at_low, found.base, lever.at_high)
        assert lever.swing == pytest.approx(max(reach) - min(reach))


def test_capacity_is_an_assumption_and_only_where_it_binds(money: Any) -> None:
    tight = vary(money((10, -5, 0, 0), **COSTS, capacity_per_month=20), perfect())
    lever = next(lever for lever in tight.levers if lever.name == "capacity_per_month")
    assert tight.base == pytest.approx(200 * 10 - 1500)
    assert lever.at_low == pytest.approx(140 * 10 - 1500) and lever.at_high == pytest.approx(250 * 10 - 1500)
    assert lever.break_even == pytest.approx(15, rel=1e-3)
    loose = vary(money((10, -5, 0, 0), **COSTS, capacity_per_month=90), perfect())
    assert next(lever for lever in loose.levers if lever.name == "capacity_per_month").swing == 0


def test_what_never_turns_says_never(money: Any) -> None:
    found = vary(money((10, -5, 0, 0), **(COSTS | {"run_cost_per_month": 1, "build_cost": 1})), perfect())
    levers = {lever.name: lever for lever in found.levers}
    assert levers["run_cost_per_month"].break_even is None and levers["build_cost"].break_even is None
    table = sensitivity.tornado_table(found).set_index("assumption")
    assert table.loc["build cost", "zero at"] == "never" and table.loc["how well the model does", "zero at"] == ""


def test_a_return_that_is_negative_turns_where_it_gets_positive(money: Any) -> None:
    found = vary(money((10, -5, 0, 0), **(COSTS | {"build_cost": 4000})), perfect())
    assert found.base < 0
    levers = {lever.name: lever for lever in found.levers}
    assert levers["horizon_months"].break_even == pytest.approx(20, rel=1e-2)
    assert levers["build_cost"].break_even == pytest.approx(2000, rel=1e-2)


def test_what_is_zero_or_not_stated_is_not_varied(money: Any) -> None:
    found = vary(money((10, -5, 0, 0), cases_per_month=100, build_cost=1000), perfect())
    assert found.measure == "gained per month" and found.base == pytest.approx(250)
    assert {lever.name for lever in found.levers} == {"true_positive", "false_positive", "cases_per_month", "score"}
    found = vary(money((10, -5, 0, 0)), perfect())
    assert found.measure == "gained per case" and found.base == pytest.approx(2.5)
    nothing = vary(money(), perfect())
    said = sensitivity.kill_sentence(nothing)
    assert nothing.levers == () and "is not known" in said and said != nothing.lacking
    assert sensitivity.tornado_table(nothing).empty and plots.alt(nothing.figure())


def test_regression_and_cost_matrix_have_their_own_assumptions(money: Any) -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=400)
    known = 3 * x + random.normal(size=400)
    answers = Answers("regression", known, {"m": 3 * x}, known, {"m": 3 * x})
    found = vary(money(problem="regression", cost_per_unit_under=9, cost_per_unit_over=0, **COSTS), answers)
    assert {lever.name for lever in found.levers} == {"cost_per_unit_under", *COSTS, "score"}
    codes = random.integers(0, 3, 300)
    sure = Answers("multiclass", codes, {"m": np.eye(3)[codes]}, codes, {"m": np.eye(3)[codes]})
    found = vary(money(cost_matrix=[[0, 1, 1], [1, 0, 1], [1, 1, 0]]), sure)
    assert {lever.name for lever in found.levers} == {
        "score",
        *(f"cost_matrix[{i}][{j}]" for i in range(3) for j in range(3) if i != j),
    }
    codes = random.integers(0, 5, 500)
    sure = Answers("multiclass", codes, {"m": np.eye(5)[codes]}, codes, {"m": np.eye(5)[codes]})
    found = vary(money(cost_matrix=(1 - np.eye(5)).tolist()), sure)
    whole = next(lever for lever in found.levers if lever.name == "cost_matrix")
    assert whole.at_high == pytest.approx(1.3 * found.base), "larger matrices are varied as a whole"


def test_it_is_told_and_drawn_and_plain_data_and_twice_the_same(money: Any) -> None:
    charter = money((10, -5, 0, 0), **COSTS)
    found = vary(charter, perfect())
    assert found == vary(charter, perfect())
    said = sensitivity.kill_sentence(found)
    assert said.startswith("The return turns zero with 'true positive' at 6 EUR (10 assumed), or ")
    assert "'cases per month' at 60 (100 assumed)" in said
    table = sensitivity.tornado_table(found)
    assert table["assumption"].tolist() == [lever.label for lever in found.levers]
    assert plots.alt(found.figure()).startswith(f"{sensitivity.headline(found)}. EUR left after 10 months")
    json.dumps(found.as_dict(), allow_nan=False)
