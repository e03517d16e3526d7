"""Go or no-go after the proof of concept: by the verdict's own rule, with something to do about every objection."""

from __future__ import annotations

from typing import Any

import pytest

from lab2live.charter import gates
from lab2live.poc import decision


def test_there_is_something_to_do_about_every_gate_of_the_stage() -> None:
    assert set(decision.CHANGES) == {rule.id for rule in gates.CATALOGUE.values() if rule.stage == "poc"}


@pytest.mark.parametrize(
    ("gate", "value", "decided"),
    [("poc.net_benefit", 0.99, "go"), ("poc.net_benefit", 0.7, "conditional"), ("poc.net_benefit", 0.1, "no-go")],
)
def test_the_rule_is_that_of_the_verdict(charter_of: Any, gate: str, value: float, decided: str) -> None:
    judged = [gates.judge(gate, value, "Measured.")]
    found, reasons = decision.as_things_stand(charter_of(), judged, [], sampled=False)
    assert found == decided and reasons
    said = decision.sentence(found, reasons)
    assert {"go": "it is a go:", "conditional": "on conditions", "no-go": "it is a no-go"}[decided] in said
    said = decision.changes(judged)["what would have to change"].tolist()
    assert said == [decision.NOTHING if decided == "go" else decision.CHANGES[gate]]


def test_what_the_data_stage_found_and_a_sample_count_too(charter_of: Any) -> None:
    fine = [gates.judge("poc.net_benefit", 0.99, "")]
    upstream = [gates.judge("eda.signal", 0.5, "No signal.").as_dict()]
    assert decision.as_things_stand(charter_of(), fine, upstream, sampled=False)[0] == "conditional"
    assert decision.as_things_stand(charter_of(), fine, [], sampled=True)[0] == "conditional"


def test_what_decides_comes_first_among_the_changes() -> None:
    judged = [
        gates.judge("poc.shift", 0.6, ""),
        gates.judge("poc.fairness", 0.9, ""),
        gates.judge("poc.net_benefit", 0, ""),
    ]
    assert decision.changes(judged)["what would have to change"].tolist() == [
        decision.CHANGES[name] for name in ("poc.net_benefit", "poc.fairness", "poc.shift")
    ]


def test_only_what_says_something_is_kept_for_others() -> None:
    assert decision.kept(value="It pays.", some_shift="") == ["value: It pays."]
    assert decision.kept(some_shift="None.") == ["some shift: None."]


def test_a_condition_that_nobody_has_answered_is_not_called_nothing() -> None:
    judged = [
        gates.judge("poc.fairness", None, "The charter names no sensitive column."),
        gates.judge("poc.shift", 0.6, ""),
        gates.judge("poc.required_score", None, "The charter states no required score."),
    ]
    assert decision.changes(judged)["what would have to change"].tolist() == [
        "It has to be answered. The charter states no required score.",
        decision.CHANGES["poc.shift"],
    ]
    said = decision.changes(judged[:1])["what would have to change"].tolist()
    assert said == ["Nothing failed here. If conditions are named above, they remain."]
