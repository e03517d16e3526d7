"""Should you start? Open questions, feasibility, priority, and what others learnt."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.charter import loading as charters
from lab2live.charter import review
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.poc import feasibility as gate_feasibility

TODAY = dt.date(2026, 11, 20)


def make(folder: Path = Path("."), **blocks: Any) -> Charter:
    minimal = {"prediction": {"problem_type": "regression", "target": "y"}, "sources": [{"name": "s", "uri": "s.csv"}]}
    return Charter.model_validate({**minimal, "folder": folder, **blocks})


def test_a_minimal_charter_leaves_every_question_open() -> None:
    found = review.unanswered(make())
    assert {question.requirement for question in found} == {"B1", "B2", "B3", "B4", "P1", "L1", "L4a", "L5", "T4", "G1"}
    assert all(question.text.endswith("?") and question.field for question in found)


def test_the_demo_leaves_none_open() -> None:
    assert review.unanswered(charters.find("demo")) == []


def test_half_an_answer_says_what_is_missing() -> None:
    business = {"customer_experience": {"answer": "They wait less.", "current": 0}}
    (found,) = (one for one in review.unanswered(make(business=business)) if one.requirement == "B1")
    assert found.field == "business.customer_experience: measure, unit, target"


@pytest.mark.parametrize(
    ("prediction", "asked"),
    [({}, True), ({"time_column": "ordered at"}, False), ({"immutable": ["ordered at"]}, False)],
)
def test_a_column_of_dates_may_be_the_time_of_a_case(prediction: dict[str, Any], asked: bool) -> None:
    columns = {"ordered at": {"type": "date"}, "amount": {"type": "number"}}
    charter = make(
        prediction={"problem_type": "regression", "target": "y", **prediction},
        sources=[{"name": "s", "uri": "s.csv", "columns": columns}],
    )
    assert any("Does ordered at say when" in one.text for one in review.unanswered(charter)) is asked


@pytest.mark.parametrize(
    ("blocks", "requirement", "field"),
    [
        ({"prediction": {"problem_type": "regression", "target": "y", "required_score": 0}}, "P1", "required_score"),
        ({"business": {"value": {"cost_per_unit_under": 0}}}, "B2", "business.value"),
        ({"business": {"value": {"cost_matrix": [[0, 1], [1, 0]]}}}, "B2", "business.value"),
        ({"team": {"owner": {"who": "Ada"}}}, "T4", "team"),
        ({"fallback": {"drift": "rule"}}, "L1", "fallback"),
        ({"sources": [{"name": "s", "uri": "s.csv", "owner": "Sales"}]}, "G1", "owner"),
    ],
)
def test_an_answer_closes_its_question(blocks: dict[str, Any], requirement: str, field: str) -> None:
    def is_open(charter: Charter) -> bool:
        return any(one.requirement == requirement and one.field.endswith(field) for one in review.unanswered(charter))

    assert is_open(make())
    assert not is_open(make(**blocks))


def test_somebody_without_a_name_owns_nothing() -> None:
    assert "T4" in {one.requirement for one in review.unanswered(make(team={"owner": {"signs_off": True}}))}


@pytest.mark.parametrize(
    ("source", "status", "says"),
    [
        ({"uri": "s.csv"}, "pass", "granted"),
        ({"uri": "s.csv", "access": "public"}, "pass", "public"),
        ({"uri": "s.csv", "access": "requested", "requested_on": "2026-11-01"}, "fail", "asked for 19 days ago"),
        ({"uri": "s.csv", "access": "refused", "owner": "Finance"}, "fail", "Chase Finance"),
        ({"uri": "s.csv", "access": "requested", "stand_in": "t.csv"}, "warn", "start on the stand-in"),
        ({"uri": "s.csv", "access": "simulated"}, "warn", "simulated"),
        ({"stand_in": "t.csv"}, "warn", "stand-in"),
    ],
)
def test_access_to_a_source_is_judged(source: dict[str, Any], status: str, says: str) -> None:
    line = review.feasibility(make(sources=[{"name": "s", **source}]), TODAY)[0]
    assert line.status == status
    assert says in line.text


@pytest.mark.parametrize("days", [-1, 0, 1, 19, 29, 30, 400])
@pytest.mark.parametrize("access", ["granted", "requested"])
def test_command_and_gate_judge_a_deadline_by_one_rule(days: int, access: str) -> None:
    charter = make(
        feasibility={"deadline": TODAY + dt.timedelta(days), "skills": ["SQL"]},
        sources=[{"name": "s", "uri": "s.csv", "stand_in": "t.csv", "access": access}],
    )
    _, deadline, skills = review.feasibility(charter, TODAY)
    (gate,) = (line for line in gate_feasibility.lines(charter, None, TODAY) if line.what == "time")
    expected = "fail" if days <= 0 else "warn" if days < 30 or access == "requested" else "pass"
    assert deadline.status == gate.status == expected
    assert deadline.text == gate.text
    assert (skills.status, skills.text) == ("pass", "Skills: SQL.")


def test_what_is_not_stated_is_skipped_not_passed() -> None:
    assert [line.status for line in review.feasibility(make(), TODAY)] == ["pass", "skip", "skip"]


def priced(target: float, **value: float) -> tuple[list[dict[Any, Any]], str]:
    answer = {"return_on_investment": {"current": 100, "target": target, "unit": "EUR per month"}}
    money = {"build_cost": 1000, "horizon_months": 10, **value}
    sure = [gate_feasibility.Line("time", "pass", "")]
    steps, sentence = gate_feasibility.priority(make(business={**answer, "value": money}), sure, None)
    return steps.to_dict("records"), sentence


@pytest.mark.parametrize(
    ("target", "word"), [(400, "high"), (399, "medium"), (200, "medium"), (199, "low"), (50, "low")]
)
def test_the_priority_follows_the_ratio(target: float, word: str) -> None:
    assert f"which is {word}" in priced(target)[1]


def test_the_arithmetic_is_shown() -> None:
    ((step,), sentence) = priced(400, run_cost_per_month=50)
    assert (step["gain a month (EUR)"], step["months"], step["cost (EUR)"], step["gain / cost"]) == (300, 10, 1500, 2.0)
    assert "Priority 2.0" in sentence


def test_without_costs_there_is_no_ratio() -> None:
    assert priced(400, build_cost=0) == ([], "No priority can be computed: the charter says that it costs nothing.")
    steps, lacking = gate_feasibility.priority(make(), [], None)
    assert steps.empty and "state build_cost, horizon_months" in lacking and "return_on_investment" in lacking


def test_a_return_in_another_unit_is_no_money() -> None:
    """A share that falls from 0.27 to 0.20 is not a loss of 0.07 EUR a month."""
    returned = {"current": 0.27, "target": 0.20, "unit": "share"}
    money = {"build_cost": 1000, "horizon_months": 10}
    charter = make(business={"return_on_investment": returned, "value": money})
    table, sentence = gate_feasibility.priority(charter, [], None)
    assert table.empty and sentence.endswith(
        "state per_case with cases_per_month, or return_on_investment in money a month (unit: EUR per month)."
    )
    steps, _ = gate_feasibility.priority(charter, [], 500.0)
    assert list(steps["basis"]) == ["measured here"]


def per_case(*money: float, positive: str | None = "yes") -> Charter:
    names = ("true_positive", "false_positive", "false_negative", "true_negative")
    return make(
        prediction={"problem_type": "classification", "target": "churned", "positive_class": positive},
        business={"value": {"per_case": dict(zip(names, money, strict=True))}},
    )


def test_payoffs_are_sentences_to_confirm() -> None:
    assert review.payoffs(per_case(110, -15, 0, 0)) == [
        "Acting on a case where `churned` is yes brings 110 EUR.",
        "Acting on a case where `churned` is not yes costs 15 EUR.",
        "Not acting on a case where `churned` is yes changes nothing.",
        "Not acting on a case where `churned` is not yes changes nothing.",
    ]
    assert "the rarer class brings 1,234,567.5 EUR" in review.payoffs(per_case(1234567.5, 0, 0, 0, positive=None))[0]
    under = {"cost_per_unit_under": 2, "cost_per_unit_over": 0}
    assert review.payoffs(make(business={"value": under})) == [
        "Predicting `y` one unit too little costs 2 EUR.",
        "Predicting `y` one unit too much changes nothing.",
    ]
    assert review.payoffs(make()) == []


def asked_of_payoffs(charter: Charter) -> list[str]:
    return [one.text for one in review.unanswered(charter) if "no model is needed" in one.text or "act" in one.text]


@pytest.mark.parametrize(
    ("money", "says"),
    [
        ((110, 15, 0, 0), "Does a cost lack its minus sign?"),
        ((-110, -15, 0, 0), "Does a gain stand with a minus sign?"),
        ((0, 0, 0, 0), "Does a cost lack its minus sign?"),
        ((-500, 20, 0, 0), "Is `positive_class` the class to act on?"),
    ],
)
def test_signs_that_decide_every_case_alike_are_asked_about(money: tuple[float, ...], says: str) -> None:
    (asked,) = asked_of_payoffs(per_case(*money))
    assert says in asked


@given(
    *[st.integers(-100, 100)] * 4,
    st.floats(0.001, 0.999),
)
def test_payoffs_are_asked_about_exactly_where_the_best_decision_does_not_rise_with_the_probability(
    tp: int, fp: int, fn: int, tn: int, p: float
) -> None:
    def gain(probability: float) -> float:
        return probability * (tp - fn) + (1 - probability) * (fp - tn)

    sensible = gain(0.0) < 0 < gain(1.0)
    assert bool(asked_of_payoffs(per_case(tp, fp, fn, tn))) is not sensible
    if gain(0.0) * gain(1.0) >= 0:
        assert gain(p) * (gain(0.0) + gain(1.0)) >= 0, "one decision is best at every probability"


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ({"cost_matrix": [[0, 5, 9], [5, 0, 9], [5, 5, 0]]}, False),
        ({"cost_matrix": [[0, 5], [0, 5]]}, True),
        ({"cost_matrix": [[5, 0], [0]]}, False),
        ({"cost_matrix": [[]]}, False),
        ({"cost_per_unit_under": 0, "cost_per_unit_over": 0}, True),
        ({"cost_per_unit_under": 1, "cost_per_unit_over": 0}, False),
    ],
)
def test_costs_that_need_no_model_are_asked_about(value: dict[str, Any], asked: bool) -> None:
    assert bool(asked_of_payoffs(make(business={"value": value}))) is asked


def with_lessons(folder: Path, text: str | bytes) -> Charter:
    (folder / "other").mkdir(exist_ok=True)
    (folder / "other" / "lessons.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return make(folder, project={"lessons": ["other/lessons.yaml"]})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("project: fraud\nlessons: [Ask early., Check the keys.]", ["fraud: Ask early.", "fraud: Check the keys."]),
        ("lessons: [Ask early.]", ["other/lessons.yaml: Ask early."]),
        ("[Ask early.]", ["other/lessons.yaml: Ask early."]),
        ("lessons:\n", []),
        ("", []),
    ],
)
def test_lessons_of_other_projects_are_read(tmp_path: Path, text: str, found: list[str]) -> None:
    assert review.lessons(with_lessons(tmp_path, text)) == found


@pytest.mark.parametrize("text", ["lessons: 5", "lessons: Ask early.", "a: [", "when: 2026-13-45", "a: b", b"\xff"])
def test_lessons_that_cannot_be_read_are_a_message(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(UserError, match="lessons") as caught:
        review.lessons(with_lessons(tmp_path, text))
    assert "lessons.yaml" in caught.value.details["where"]


def test_lessons_that_are_not_there_are_a_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="lessons"):
        review.lessons(make(tmp_path, project={"lessons": ["gone.yaml"]}))
