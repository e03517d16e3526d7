"""The runbook and the ML Test Score: every alert with its owner, commands that are right, points only for evidence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from typer.main import get_command

from lab2live.charter import gates
from lab2live.charter.gates import judge
from lab2live.cli import main
from lab2live.handoff.alerts import ALERTS, Alert
from lab2live.handoff.deploying.capacity import Capacity
from lab2live.handoff.fallback import TRIGGERS, Plan
from lab2live.handoff.people import readiness, rubric, runbook
from lab2live.handoff.people.findings import Findings

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = {"limits": {"time_out_ms": 500.0}}
CAPACITY = Capacity(2.3, 3.2, 60.0, 900.0, 310.0, 0.8, 0.02, "3.11.2")
MADE_UP = (
    Alert("down", "page", "It is down.", "Is it?", "Start it.", "mlops_engineer"),
    Alert("drift", "ticket", "It drifts.", "Why?", "Learn anew.", "data_scientist"),
)
TEAM = {"mlops_engineer": {"who": "Lucia", "signs_off": True}}


def plans(answer: str = "rule", works: bool | None = True) -> list[Plan]:
    return [Plan(name, when, answer, works, "answered 10 of 10 cases") for name, when in TRIGGERS.items()]


def test_every_alert_says_what_it_means_what_to_check_what_to_do_and_who(charter_of: Any) -> None:
    text = runbook.markdown(charter_of(team=TEAM), CONTRACT, CAPACITY, MADE_UP, plans())
    first = text[text.index("### `down`: page") :].split("###")[1]
    for part in ("It is down.", "Is it?", "Start it.", "Lucia \\(MLOps engineer\\)"):
        assert part in first
    assert "nobody: name a person for data scientist" in text
    assert "Nobody is named for: data scientist." in runbook.sentence(MADE_UP, charter_of(team=TEAM))


def test_every_alert_of_the_monitoring_is_in_it_and_belongs_to_a_role_that_there_is(charter_of: Any) -> None:
    text = runbook.markdown(charter_of(), CONTRACT, None, ALERTS, plans())
    assert all(f"### `{one.id}`" in text for one in ALERTS)
    assert {one.owner for one in ALERTS} <= set(runbook.roles.OWNS)


def test_limits_are_held_against_the_charter(charter_of: Any) -> None:
    wanted = {"latency_ms": 50, "memory_mb": 512, "requests_per_second": 1000, "python": "3.1"}
    text = runbook.markdown(charter_of(deployment=wanted), CONTRACT, CAPACITY, MADE_UP, plans())
    assert "| slowest of 95 in 100 answers (ms) | 60 | 50 | **no** |" in text
    assert "| requests a second | 900 | 1,000 | **no** |" in text
    assert "| memory (MB) | 310 | 512 | yes |" in text
    assert "| Python | 3.11.2 | 3.1 | **no** |" in text
    assert "(measured: 0.02 s)" in text and "After 500 ms" in text


def test_what_was_not_measured_or_settled_is_said(charter_of: Any) -> None:
    text = runbook.markdown(charter_of(), CONTRACT, None, (), [])
    assert text.count("not measured") == 7 and "Nothing was settled" in text and "nobody is told" in text
    broken = runbook.markdown(charter_of(), CONTRACT, None, (), plans("rule", False))
    assert broken.count("(does not work)") == len(TRIGGERS)
    assert "nobody has settled it" in runbook.markdown(charter_of(), CONTRACT, None, (), plans("not settled", None))


def test_where_the_delay_of_outcomes_is_not_stated_the_sentence_still_is_one(charter_of: Any) -> None:
    text = runbook.markdown(charter_of(), CONTRACT, None, (), [])
    assert "the charter does not say (prediction.label_delay_days)." in text and "is known not" not in text
    known = runbook.markdown(charter_of(prediction={"label_delay_days": 30}), CONTRACT, None, (), [])
    assert "was right is known after 30 days: a model can only learn from cases older than that." in known


def test_a_drill_that_judged_nothing_gives_no_point(charter_of: Any) -> None:
    scored = readiness.score(Findings(charter_of(), stages_of("handoff.fault_injection")))
    concerned = {item.what for item in rubric.ITEMS if "handoff.fault_injection" in item.gates}
    assert len(concerned) == 4 and all(one.points == 0 for one in scored.items if one.what in concerned)


def test_its_commands_and_addresses_are_those_that_there_are(charter_of: Any) -> None:
    text = runbook.markdown(charter_of(), CONTRACT, CAPACITY, MADE_UP, plans())
    known = get_command(main.app).commands  # type: ignore[attr-defined]
    for name in re.findall(r"lab2live ([a-z-]+)", text):
        assert name in known, name
    options = {option for one in known["serve"].params for option in one.opts}
    (serve,) = re.findall(r"lab2live serve (.*)", text)
    assert set(re.findall(r"--\w+", serve)) <= options
    routes = (ROOT / "src/lab2live/serving/listening.py").read_text()
    for path in re.findall(r"8000(/\w+)", text):
        assert f'"{path}": (' in routes, path
    metrics = (ROOT / "src/lab2live/serving/metrics.py").read_text()
    for name in re.findall(r"`(lab2live_\w+?)(?:_total)?`", text):
        assert f'"{name}"' in metrics, name


def test_hostile_words_in_a_runbook_stay_words(charter_of: Any) -> None:
    bad = "<img src=x> `rm -rf` | # x\n\n# y [a](javascript:b)"
    charter = charter_of(
        project={"name": bad, "description": bad},
        team={"mlops_engineer": {"who": bad}},
        sources=[{"name": bad, "uri": "x.csv", "owner": bad, "access": "simulated"}],
        deployment={"python": bad},
    )
    alert = Alert("x", "page", bad, bad, bad, "mlops_engineer")
    text = runbook.markdown(charter, CONTRACT, CAPACITY, [alert], [Plan("drift", bad, "rule", True, bad)])
    shown = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    assert "<img" not in shown and "<a " not in shown and shown.count("<h1>") == 1
    assert shown.count("<h2>") == 9


def stages_of(*skipped: str, **more: Any) -> dict[str, Any]:
    """Give results in which every gate was computed but those that are named."""
    found: dict[str, Any] = {name: {"gates": [], "parameters": {}} for name in gates.STAGES}
    for rule in gates.CATALOGUE.values():
        value = None if rule.id in skipped else rule.warn if rule.warn is not None else rule.fail
        found[rule.stage]["gates"].append(judge(rule.id, value, "said").as_dict())
    found["handoff"] |= more
    return found


def test_there_are_28_tests_in_four_sections_of_seven_and_every_gate_is_one_of_ours() -> None:
    assert [sum(item.section == name for item in rubric.ITEMS) for name in rubric.SECTIONS] == [7, 7, 7, 7]
    assert len({item.what for item in rubric.ITEMS}) == 28
    named = {name for item in rubric.ITEMS for name in item.gates}
    assert named <= set(gates.CATALOGUE)
    assert not named & {"handoff.ml_test_score", "handoff.roles"}  # no proof by itself


def test_a_test_loses_its_point_with_any_one_of_its_gates(charter_of: Any) -> None:
    whole = readiness.score(Findings(charter_of(), stages_of()))
    for item, before in zip(rubric.ITEMS, whole.items, strict=True):
        assert (before.how == "automated") == bool(item.gates)
        for name in item.gates:
            after = readiness.score(Findings(charter_of(), stages_of(name)))
            now = next(one for one in after.items if one.what == item.what)
            assert now.points < 1 and now.how == "missing" and name in now.evidence


def test_a_gate_that_failed_was_computed_all_the_same_and_the_evidence_says_so(charter_of: Any) -> None:
    stages = stages_of("poc.fairness")
    stages["poc"]["gates"] = [one for one in stages["poc"]["gates"] if one["id"] != "poc.fairness"]
    stages["poc"]["gates"].append(judge("poc.fairness", 9, "Worse.").as_dict())
    found = readiness.score(Findings(charter_of(), stages))
    (one,) = [one for one in found.items if "poc.fairness" in one.evidence]
    assert one.how == "automated" and "✖ fail" in one.evidence


def test_what_is_settled_by_hand_is_half_a_point_and_only_where_it_is(charter_of: Any) -> None:
    sources = [{"name": "s", "uri": "x.csv", "personal_data": True}]
    full = charter_of(sources=sources, team={"mlops_engineer": {"who": "Lucia", "signs_off": True}})
    stages = stages_of(capacity={"rollback_seconds": 0.1})
    stages["explainability"]["no_heavier_than_chance"] = []
    stages["poc"] |= {"tuning": {"fits": 12}, "staleness": {"ages": [{}]}}
    found = readiness.score(Findings(full, stages))
    assert sum(one.how == "manual" for one in found.items) == 9
    alone = charter_of(team={"data_scientist": {"who": "Mei", "signs_off": True}})
    bare = readiness.score(Findings(alone, stages_of("handoff.fault_injection", "handoff.alerts")))
    assert not any(one.how == "manual" for one in bare.items)


def test_the_score_is_the_least_of_the_sums_and_its_gate_passes_warns_and_never_fails(charter_of: Any) -> None:
    found = readiness.score(Findings(charter_of(), stages_of()))
    assert found.value == min(found.sections.values())
    answer = readiness.verdict(found)
    good = judge("handoff.ml_test_score", answer.value, answer.message)
    assert good.status == "pass" and "the least of data" in good.message
    empty = readiness.score(Findings(charter_of(), {}))
    answer = readiness.verdict(empty)
    bad = judge("handoff.ml_test_score", answer.value, answer.message)
    assert empty.value == 0 and bad.status == "warn" and "research project" in bad.message
    assert judge("handoff.ml_test_score", None, "Not scored.").status == "skip"
    assert len(readiness.table(found)) == 28 and found.as_dict()["score"] == found.value


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "research"), (0.5, "serious holes"), (1.0, "serious holes"), (1.5, "first pass"), (3.0, "reasonably"),
     (3.5, "strong"), (5.0, "strong"), (5.5, "exceptional")],
)  # fmt: skip
def test_the_bands_are_those_of_the_paper(value: float, words: str) -> None:
    assert words in readiness.band(value)
