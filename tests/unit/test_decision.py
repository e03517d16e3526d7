"""The decision rule, branch by branch, and what a run's verdict holds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab2live.charter import gates, review
from lab2live.charter.gates import CATALOGUE, Gate, GateResult
from lab2live.charter.schema import Charter, Project
from lab2live.errors import UserError
from lab2live.pipeline import decision as verdict

CHARTER = Charter.model_validate(
    {"prediction": {"problem_type": "regression", "target": "y"}, "sources": [{"name": "s", "uri": "s.csv"}]}
)
RULES = list(CATALOGUE.values())
MUST = next(rule.id for rule in RULES if rule.must_pass)
MAY = next(rule.id for rule in RULES if not rule.must_pass)


def gate(gate_id: str, status: Any) -> GateResult:
    return replace(gates.judge(gate_id, None, f"{gate_id} is {status}."), status=status)


PASSED = [gate(rule.id, "pass") for rule in RULES]


def having(*changed: GateResult) -> list[GateResult]:
    new = {one.id: one for one in changed}
    return [new.get(one.id, one) for one in PASSED]


def result(stage: str, *found: GateResult, finished: bool = True, **parameters: Any) -> dict[str, Any]:
    kept = {"gates": [one.as_dict() for one in found], "measures": {}, "problems": []}
    return {**kept, "parameters": parameters, "finished": finished, "stage": stage}


# the rule


def test_go_takes_that_everything_passes() -> None:
    assert verdict.decide(PASSED) == ("go", ["Every gate that matters has passed."])


def test_a_skipped_gate_that_need_not_pass_does_not_stand_in_the_way() -> None:
    assert verdict.decide(having(gate(MAY, "skip")))[0] == "go"


@pytest.mark.parametrize(
    ("gate_id", "status", "decision"),
    [
        (MUST, "fail", "no-go"),
        (MUST, "warn", "conditional"),
        (MUST, "skip", "conditional"),
        (MAY, "fail", "conditional"),
        (MAY, "warn", "conditional"),
    ],
)
def test_one_gate_decides(gate_id: str, status: str, decision: str) -> None:
    found, reasons = verdict.decide(having(gate(gate_id, status)))
    assert found == decision
    assert len(reasons) == 1
    assert f"{gate_id} is {status}." in reasons[0]


@pytest.mark.parametrize(
    ("about", "word"), [({"demo": True}, "demo"), ({"stand_ins": ["crm"]}, "crm"), ({"sampled": True}, "sample")]
)
def test_evidence_about_something_else_is_conditional_at_best(about: dict[str, Any], word: str) -> None:
    decision, reasons = verdict.decide(PASSED, **about)
    assert decision == "conditional"
    assert word in reasons[0]
    assert verdict.decide(having(gate(MUST, "fail")), **about)[0] == "no-go", "and it excuses nothing"


@given(st.lists(st.sampled_from(["pass", "warn", "fail", "skip"]), min_size=len(RULES), max_size=len(RULES)))
def test_the_decision_follows_from_the_gates_alone(statuses: list[str]) -> None:
    found = [gate(rule.id, status) for rule, status in zip(RULES, statuses, strict=True)]
    must = {one.status for one in found if one.must_pass}
    every = {one.status for one in found}
    expected = "no-go" if "fail" in must else "conditional" if {"fail", "warn"} & every or "skip" in must else "go"
    decision, reasons = verdict.decide(found)
    assert decision == expected
    assert reasons


# gathering


def test_gates_of_stages_that_did_not_run_are_skipped_with_the_reason() -> None:
    done = [one for one in PASSED if one.stage == "eda"]
    found = verdict.collect(CHARTER, {"eda": result("eda", *done)}, {"poc": "Not run: somebody said no."})
    assert [one.id for one in found] == [rule.id for rule in RULES], "all gates, in the order of the catalogue"
    assert {one.status for one in found if one.stage == "eda"} == {"pass"}
    assert {one.status for one in found if one.stage != "eda"} == {"skip"}
    assert {one.message for one in found if one.stage == "poc"} == {"Not run: somebody said no."}
    assert {one.message for one in found if one.stage == "handoff"} == {"The stage did not get to this question."}


def test_what_a_broken_stage_had_judged_counts() -> None:
    judged = gate("eda.sources", "fail")
    content = verdict.compose(CHARTER, {"eda": result("eda", judged, finished=False)}, {"eda": "It broke."}, {})
    assert content["decision"] == "no-go"
    assert content["gates"][0]["status"] == "fail"
    assert {one["status"] for one in content["gates"][1:]} == {"skip"}
    assert content["gates"][1]["message"] == "It broke."


@pytest.mark.parametrize(
    ("facts", "parameters", "decision"),
    [
        ({"smoke": False}, {"sample": None}, "go"),
        ({"smoke": True}, {"sample": None}, "conditional"),
        ({"smoke": False}, {"sample": 100}, "conditional"),
    ],
)
def test_a_sample_is_noticed(facts: dict[str, Any], parameters: dict[str, Any], decision: str) -> None:
    content = verdict.compose(CHARTER, {"poc": result("poc", *PASSED, **parameters)}, {}, facts)
    assert content["decision"] == decision


def test_stand_ins_of_the_charter_are_noticed() -> None:
    source = {"name": "crm", "uri": "a.csv", "access": "simulated"}
    waiting = Charter.model_validate({**CHARTER.model_dump(exclude={"business"}), "sources": [source]})
    content = verdict.compose(waiting, {"poc": result("poc", *PASSED)}, {}, {})
    assert (content["decision"], content["run"]["stand_ins"]) == ("conditional", ["crm"])


# reading


def made_up(folder: Path, decision: str = "go", *statuses: str) -> Path:
    content = {
        "decision": decision,
        "reasons": [],
        "gates": [],
        "measures": {},
        "run": {"stages": [{"status": s} for s in statuses]},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdict.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("decision", "statuses", "code"),
    [
        ("go", ["done", "kept"], 0),
        ("conditional", ["done", "not run"], 0),
        ("no-go", ["done", "not run"], 2),
        ("conditional", ["failed", "not run"], 1),
        ("no-go", ["done", "failed"], 1),
    ],
)
def test_the_exit_code_follows_the_decision(tmp_path: Path, decision: str, statuses: list[str], code: int) -> None:
    assert verdict.exit_code(verdict.read(made_up(tmp_path, decision, *statuses))) == code


def test_a_folder_without_a_verdict_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no verdict"):
        verdict.read(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"decision": "go"}', "\udcff"])
def test_a_verdict_that_cannot_be_read_is_a_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "verdict.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        verdict.read(tmp_path)
    assert caught.value.details["where"] == str(tmp_path / "verdict.json")
    assert caught.value.details["fix"]


# what others can learn


def test_lessons_are_what_failed_and_what_warned_and_another_charter_can_read_them(tmp_path: Path) -> None:
    found = having(gate(MUST, "fail"), gate(MAY, "warn"))
    content = {
        "decision": "no-go",
        "gates": [one.as_dict() for one in found],
        "run": {"project": 'Tom & "Jerry": ü'},
    }
    (tmp_path / "lessons.yaml").write_text(verdict.lessons(content, ["kills it: the price"]), encoding="utf-8")
    other = CHARTER.model_copy(update={"folder": tmp_path, "project": Project(lessons=["lessons.yaml"])})
    learnt = review.lessons(other)
    assert len(learnt) == 3 and learnt[2].endswith(": kills it: the price")
    assert all(lesson.startswith('Tom & "Jerry": ü: ') for lesson in learnt)
    assert any(f"{MUST} is fail." in lesson for lesson in learnt)


def test_a_run_that_broke_says_so_before_any_other_reason() -> None:
    record = {"title": "Data", "error": {"name": "ValueError"}, "stage": "eda"}
    content = verdict.compose(CHARTER, {}, {}, {"stages": [record]})
    assert content["reasons"][0] == "Data broke (ValueError): not everything was judged."


# own gates, measures, problems, accepted findings


def own(**more: Any) -> Gate:
    known = {"id": "own.contacts", "requirement": "B3", "title": "Contacts", "question": "Few enough?"}
    return Gate(**{**known, "better": "lower", "fail": 100, **more})


@pytest.mark.parametrize(("must", "decision"), [(True, "no-go"), (False, "conditional")])
def test_an_own_gate_counts_like_any_other(must: bool, decision: str) -> None:
    judged = gates.judge(own(must_pass=must), 150, "150 contacts.", stage="own_analysis")
    results = {"poc": result("poc", *PASSED), "own_analysis": result("own_analysis", judged)}
    content = verdict.compose(CHARTER, results, {}, {}, [own(must_pass=must)])
    assert content["decision"] == decision
    assert content["gates"][-1]["id"] == "own.contacts" and content["gates"][-1]["stage"] == "own_analysis"


def test_an_own_gate_that_no_notebook_showed_is_skipped() -> None:
    content = verdict.compose(CHARTER, {"poc": result("poc", *PASSED)}, {}, {}, [own(must_pass=True)])
    assert (content["gates"][-1]["status"], content["decision"]) == ("skip", "conditional")


def test_measures_are_there_whether_or_not_they_were_measured() -> None:
    found = {"value": 0.4, "low": 0.3, "high": 0.5, "level": 0.9, "unit": "share"}
    results = {"poc": {**result("poc", *PASSED), "measures": {"recall": found}}}
    content = verdict.compose(CHARTER, results, {}, {})
    assert content["measures"] == {**dict.fromkeys(verdict.MEASURES), "recall": found}


def test_a_piece_of_ones_own_that_cannot_be_used_is_a_condition() -> None:
    results = {"poc": {**result("poc", *PASSED), "problems": ["`candidates` failed.\n  where: models.py"]}}
    content = verdict.compose(CHARTER, results, {}, {}, problems=["gates.py is broken."])
    assert content["decision"] == "conditional"
    assert content["reasons"] == ["gates.py is broken.", "`candidates` failed. where: models.py"]
    assert content["run"]["problems"][1].endswith("models.py")


def test_accepted_findings_are_named_in_the_verdict() -> None:
    finding = {"check": "missing.critical", "source": "crm", "column": "tariff", "message": "Some are empty."}
    accepted = {**finding, "accepted": {"by": "Ada", "until": "2027-01-31", "value": 0.02}}
    results = {"eda": {**result("eda", *PASSED), "findings": [accepted, {**finding, "accepted": None}]}}
    content = verdict.compose(CHARTER, results, {}, {})
    assert content["run"]["accepted"] == [{**finding, **accepted["accepted"]}]
