"""Feasibility and priority: what stands in the way is named, and the arithmetic is that of the table."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from lab2live.charter import gates
from lab2live.poc import feasibility
from lab2live.poc.feasibility import Line, evidence, lines, priority, table

TODAY = dt.date(2026, 6, 1)
GOOD: dict[str, Any] = {
    "feasibility": {"skills": ["SQL"], "deadline": "2027-01-01"},
    "team": {"data_scientist": {"who": "Mei"}},
    "deployment": {"target": "batch", "platform": "a server"},
}


def judged(**status: str) -> dict[str, Any]:
    ids = (*feasibility.DATA, *feasibility.SIGNAL)
    return {gate: {"status": status.get(gate.partition(".")[2], "pass"), "message": f"About {gate}."} for gate in ids}


def test_where_everything_is_there_nothing_stands_in_the_way(charter_of: Any) -> None:
    found = lines(charter_of(**GOOD), judged(), TODAY)
    assert [line.status for line in found] == ["pass"] * 5
    assert [line.what for line in found] == ["data", "signal", "skill", "infrastructure", "time"]
    assert gates.judge("poc.feasibility", evidence(found).value, evidence(found).message).status == "pass"
    assert table(found)["there"].tolist() == ["yes"] * 5


@pytest.mark.parametrize(
    ("change", "stage", "what", "status"),
    [
        ({}, judged(target="fail"), "data", "fail"),
        ({}, judged(access="warn"), "data", "warn"),
        ({}, judged(signal="fail"), "signal", "fail"),
        ({"team": {}}, judged(), "skill", "warn"),
        ({"deployment": {"target": "batch"}}, judged(), "infrastructure", "warn"),
        ({"feasibility": {"skills": ["SQL"], "deadline": "2026-05-01"}}, judged(), "time", "fail"),
        ({"feasibility": {"skills": ["SQL"], "deadline": "2026-06-20"}}, judged(), "time", "warn"),
    ],
)
def test_what_stands_in_the_way_is_named(charter_of: Any, change: Any, stage: Any, what: str, status: str) -> None:
    found = lines(charter_of(**GOOD | change), stage, TODAY)
    assert [line.what for line in found if line.status != "pass"] == [what]
    gate = gates.judge("poc.feasibility", evidence(found).value, evidence(found).message)
    assert gate.status == status and gate.message.startswith(f"{what}: ")


def test_what_nobody_knows_is_not_called_feasible(charter_of: Any) -> None:
    found = lines(charter_of(), None, TODAY)
    assert {line.status for line in found} == {"skip"}
    said = evidence(found)
    value, message = said.value, said.message
    assert value is None and message.startswith("Nothing is known")
    said = evidence([Line("data", "pass", "there"), *found[1:]])
    value, message = said.value, said.message
    assert value == 0 and "Not known: signal, skill, infrastructure, time." in message
    unheard = lines(charter_of(), {"eda.signal": {"status": "skip", "message": "no"}}, TODAY)
    assert unheard[0].status == unheard[1].status == "skip"


def test_the_priority_is_what_its_table_says(charter_of: Any) -> None:
    money = {"build_cost": 40_000, "run_cost_per_month": 1_000, "horizon_months": 20, "currency": "CHF"}
    returns = {"answer": "more", "measure": "margin", "unit": "CHF per month", "current": 1_000, "target": 7_000}
    charter = charter_of(business={"value": money, "return_on_investment": returns})
    found = [Line("data", "pass", ""), Line("time", "warn", "")]
    steps, sentence = priority(charter, found, 3_000)
    assert steps["basis"].tolist() == ["hoped for in the charter", "measured here"]
    assert steps["gain / cost"].tolist() == [2.0, 1.0] and steps["priority"].tolist() == [1.5, 0.75]
    assert steps["cost (CHF)"].tolist() == [60_000] * 2
    assert sentence.startswith("Priority 0.8, which is low") and "data 1, time 0.5" in sentence
    assert priority(charter, found, 30_000)[1].startswith("Priority 7.5, which is high")
    assert priority(charter, found, None)[1].startswith("Priority 1.5, which is medium")


@pytest.mark.parametrize("money", [{}, {"build_cost": 0, "horizon_months": 12}])
def test_without_costs_there_is_no_priority(charter_of: Any, money: Any) -> None:
    steps, sentence = priority(charter_of(business={"value": money}), [], 100.0)
    assert steps.empty and sentence.startswith("No priority can be computed")


def test_a_line_quotes_the_gate_that_decides_it(charter_of: Any) -> None:
    said = {line.what: line.text for line in lines(charter_of(), judged(), TODAY)}
    assert said["signal"] == "About eda.signal." and said["data"] == "About eda.target."
    for worse in ({"leakage": "warn"}, {"leakage": "fail", "signal": "warn"}):
        assert lines(charter_of(), judged(**worse), TODAY)[1].text == "About eda.leakage."
    assert lines(charter_of(), judged(leakage="fail", signal="fail"), TODAY)[1].text == "About eda.signal."
