"""Should you start? Open questions, feasibility, priority, and what others learnt."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from lab2live.charter import loading as charters
from lab2live.charter import review
from lab2live.charter.schema import Charter
from lab2live.errors import UserError

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
    assert found.field == "business.customer_experience: measure, target"


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
        ({"uri": "s.csv", "access": "requested", "requested_on": "2026-11-01"}, "fail", "asked for 19 days ago"),
        ({"uri": "s.csv", "access": "refused", "owner": "Finance"}, "fail", "Chase Finance"),
        ({"uri": "s.csv", "access": "requested", "stand_in": "t.csv"}, "warn", "start on the stand-in"),
        ({"uri": "s.csv", "access": "simulated"}, "warn", "simulated"),
        ({"stand_in": "t.csv"}, "warn", "stand-in"),
    ],
)
def test_access_to_a_silo_is_judged(source: dict[str, Any], status: str, says: str) -> None:
    line = review.feasibility(make(sources=[{"name": "s", **source}]), TODAY)[0]
    assert line.status == status
    assert says in line.text


@pytest.mark.parametrize(("days", "status"), [(1, "pass"), (0, "fail"), (-1, "fail")])
def test_a_deadline_is_held_against_today(days: int, status: str) -> None:
    charter = make(feasibility={"deadline": TODAY + dt.timedelta(days), "skills": ["SQL"]})
    _, deadline, skills = review.feasibility(charter, TODAY)
    assert deadline.status == status
    assert (skills.status, skills.text) == ("pass", "Skills: SQL.")


def test_what_is_not_stated_is_skipped_not_passed() -> None:
    assert [line.status for line in review.feasibility(make(), TODAY)] == ["pass", "skip", "skip"]


def priced(target: float, **value: float) -> list[str]:
    answer = {"return_on_investment": {"current": 100, "target": target}}
    money = {"build_cost": 1000, "horizon_months": 10, **value}
    return review.priority(make(business={**answer, "value": money}))


@pytest.mark.parametrize(
    ("target", "word"), [(400, "high"), (399, "medium"), (200, "medium"), (199, "low"), (50, "low")]
)
def test_the_priority_follows_the_ratio(target: float, word: str) -> None:
    assert f"priority {word}" in priced(target)[-1]


def test_the_arithmetic_is_shown() -> None:
    lines = priced(400, run_cost_per_month=50)
    assert lines[0].endswith("300 EUR a month more x 10 months = 3,000 EUR")
    assert lines[1].endswith("1,000 to build + 500 to run = 1,500 EUR")
    assert "ratio 2.0" in lines[2]


def test_without_costs_there_is_no_ratio() -> None:
    assert priced(400, build_cost=0)[-1] == "No cost stated, so there is no ratio."
    assert "Cannot be computed" in review.priority(make())[0]


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
