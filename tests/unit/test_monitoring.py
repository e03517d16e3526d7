"""Every alert fires on a planted fault and is silent on clean cases; what cannot be computed is skipped."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lab2live.data.encoding import EPOCH
from lab2live.handoff import alerts
from lab2live.monitoring import advice, alarms, baseline, clean, drift, judging, telling
from lab2live.monitoring.baseline import Baseline
from lab2live.monitoring.window import Window
from lab2live.poc.worth.value import Policy

MONEY = {"per_case": {"true_positive": 10, "false_positive": -3, "false_negative": 0, "true_negative": 0}}
START = 9000.0  # days since 2000-01-01
LATER = EPOCH.date() + dt.timedelta(days=START + 400)


def drawn(rows: int, seed: int, shift: float = 0.0, flipped: float = 0.0, start: float = START) -> Window:
    """Draw cases whose outcome follows the answers; `flipped` of the outcomes are exchanged at random."""
    random = np.random.default_rng(seed)
    x1 = random.normal(shift, 1, rows)
    x2 = np.where(random.random(rows) < 0.1, np.nan, random.gamma(2, 10, rows))
    colour = random.choice(np.array(["red", "green", "blue", None], dtype=object), rows, p=[0.5, 0.3, 0.15, 0.05])
    answers = 1 / (1 + np.exp(-(1.5 * x1 - 1 + (colour == "red"))))
    known = (random.random(rows) < answers).astype(float)
    mixed = random.random(rows) < flipped
    known[mixed] = random.permutation(known[mixed])
    reasons = np.where(random.random(rows) < 0.1, "low_confidence", "").astype(object)
    return Window(
        rows, {"x1": x1, "x2": x2, "colour": colour}, answers, reasons, known, start + 30 * random.random(rows)
    )


@pytest.fixture(scope="module")
def base(charter_of: Any) -> Baseline:
    charter = charter_of(
        prediction={"time_column": "seen", "label_delay_days": 30},
        business={"value": MONEY},
        deployment={"latency_ms": 50},
    )
    return learnt(charter, drawn(1600, 0))


def learnt(charter: Any, seen: Window, groups: np.ndarray | None = None) -> Baseline:
    data: Any = SimpleNamespace(classes=("no", "yes"))
    return baseline.of(charter, data, Policy("binary", 0.3), seen, groups, 0, sizes=(200, 400))


def judged(base: Baseline, seen: Window, today: dt.date = LATER) -> dict[str, alerts.Judged]:
    return {one.id: one for one in judging.judge(base, seen, 0, today).judged}


def with_column(seen: Window, name: str, values: np.ndarray) -> Window:
    return replace(seen, values={**seen.values, name: values})


def some(rows: int, share: float, reason: str) -> np.ndarray:
    reasons = np.full(rows, "", dtype=object)
    reasons[: int(share * rows)] = reason
    return reasons


def unlike_before() -> dict[str, Window]:
    """Plant one fault per alert."""
    usual = drawn(400, 1)
    random = np.random.default_rng(7)
    refused = np.where(np.arange(400) < 40, np.nan, usual.answers)
    return {
        "input_drift": with_column(usual, "x1", usual.values["x1"] + 0.5),
        "input_broken": with_column(usual, "x2", usual.values["x2"] * 100),
        "prediction_drift": replace(usual, answers=1 - (1 - usual.answers) ** 2),
        "invalid_rate": replace(usual, answers=refused, reasons=some(400, 0.1, "invalid_input")),
        "fallback_rate": replace(usual, reasons=some(400, 0.3, "low_confidence")),
        "model_errors": replace(usual, answers=refused, reasons=some(400, 0.1, "model_error")),
        "estimated_performance": replace(usual, answers=0.35 + 0.3 * usual.answers),
        "realised_performance": drawn(400, 1, flipped=0.7),
        "realised_value": replace(usual, known=np.where(random.random(400) < 0.6, 0.0, usual.known)),
        "staleness": replace(usual, times=usual.times + 365),
    }


@pytest.mark.parametrize("name", unlike_before())
def test_every_alert_fires_on_a_planted_fault(base: Baseline, name: str) -> None:
    found = judged(base, unlike_before()[name])[name]
    assert found.status == alerts.CATALOGUE[name].level, found.message


def test_no_alert_fires_on_clean_cases(base: Baseline) -> None:
    found = judged(base, drawn(400, 2))
    assert {one.status for one in found.values()} == {"ok"}
    assert list(found) == [alert.id for alert in alerts.ALERTS if alert.id not in alerts.OF_SERVICE]


@pytest.mark.parametrize(
    ("values", "broken"),
    [
        (np.full(400, np.nan), True),  # gone
        (np.full(400, 12.0), True),  # constant
        (drawn(400, 1).values["x2"] + 5, False),  # moved, but still itself
    ],
)
def test_a_column_is_broken_that_is_gone_or_has_lost_its_shape(
    base: Baseline, values: np.ndarray, broken: bool
) -> None:
    found = judged(base, with_column(drawn(400, 1), "x2", values))
    assert found["input_drift"].fires
    assert found["input_broken"].fires is broken


def test_a_new_category_breaks_a_column(base: Baseline) -> None:
    seen = drawn(400, 1)
    colour = np.where(np.arange(400) % 3 == 0, "violet", seen.values["colour"])
    found = judged(base, with_column(seen, "colour", colour))["input_broken"]
    assert found.fires and "colour" in found.message


def test_a_sure_but_tiny_change_of_a_large_batch_is_no_alert(charter_of: Any) -> None:
    base = learnt(charter_of(), drawn(20_000, 0))
    found = judging.judge(base, drawn(40_000, 3, shift=0.06), 0, LATER)
    moved = next(one for one in found.columns if one.name == "x1").moved
    assert moved.p[0] < base.levels.at("ticket", 40_000) and 0 < moved.distance[0] < alerts.MOVED
    assert {one.status for one in found.judged if one.id in ("input_drift", "prediction_drift")} == {"ok"}


def test_a_window_of_the_reference_is_held_against_the_cases_outside_of_it() -> None:
    reasons = some(200, 0.05, "low_confidence")
    reference = clean.Reference((), (), np.zeros((0, 200), dtype=int), reasons, None)
    inside = clean.signs(reference, reference, np.arange(100)[None], apart=False)
    wanted = drift.share_p(np.array(0), np.array(100), np.array(10), np.array(100), upwards=True)
    assert inside.reasons["low_confidence"][0] == pytest.approx(wanted[0])
    others = clean.signs(reference, reference, np.arange(100)[None], apart=True)
    assert others.reasons["low_confidence"][0] > inside.reasons["low_confidence"][0]


def test_few_cases_or_no_outcomes_are_skipped_with_the_reason(base: Baseline, charter_of: Any) -> None:
    few = judged(base, drawn(30, 1))
    assert few["input_drift"].status == "skip" and "30 cases" in few["input_drift"].message
    none = judged(base, replace(drawn(400, 1), known=None))
    assert none["realised_performance"].status == "skip" and "no column y" in none["realised_performance"].message
    early = judged(base, drawn(400, 1), EPOCH.date() + dt.timedelta(days=START + 20))
    assert early["realised_value"].status == "skip" and "30 days" in early["realised_value"].message
    poor = learnt(charter_of(), drawn(400, 0))
    plain = judged(poor, replace(drawn(400, 1), times=None))
    assert "per_case" in plain["realised_value"].message and plain["realised_value"].status == "skip"
    small = judged(learnt(charter_of(), drawn(60, 0)), drawn(400, 1))
    assert small["input_drift"].status == "skip" and "Only 60 cases" in small["input_drift"].message


def test_outcomes_that_are_overdue_or_not_understood_are_called_so(base: Baseline) -> None:
    seen = drawn(400, 1)
    assert seen.times is not None and base.charter.prediction.label_delay_days is not None
    today = EPOCH.date() + dt.timedelta(days=int(seen.times.max()) + 30 + 214)
    gone = judged(base, replace(seen, known=np.full(400, np.nan)), today)["realised_performance"]
    assert gone.status == "skip" and "400 cases overdue, by up to" in gone.message and "due yet" not in gone.message
    odd = replace(seen, known=np.full(400, np.inf))
    assert telling.window_sentence(odd, base).count("no outcome has arrived, 400 outcomes are not understood") == 1
    for each in (odd, replace(odd, times=None)):
        message = judged(base, each, today)["realised_value"].message
        assert message == "400 outcomes not understood: they are not one of no, yes."
    some = replace(seen, known=np.where(np.arange(400) < 20, np.inf, seen.known))
    assert judged(base, some, today)["realised_performance"].window == 380


def test_outcomes_that_are_not_due_do_not_count(base: Baseline) -> None:
    seen = drawn(400, 1)
    known = np.where(seen.times > START + 15, 0.0, seen.known)  # nobody has left yet, of the newer half
    today = EPOCH.date() + dt.timedelta(days=START + 45)
    found = judged(base, replace(seen, known=known), today)["realised_value"]
    assert found.status == "ok" and found.window < 250
    assert judged(base, replace(seen, known=known))["realised_value"].fires


def test_the_estimate_comes_close_to_what_the_outcomes_say_when_the_cases_change(base: Baseline) -> None:
    seen = drawn(8000, 5)
    harder = seen.part(np.flatnonzero((seen.answers > 0.15) & (seen.answers < 0.7)))
    found = judging.judge(base, harder, 0, LATER)
    assert found.estimate is not None and found.score is not None and base.score is not None
    assert abs(found.estimate.value - found.score.value) < 0.02
    assert base.score.value - found.score.value > 0.1  # and there was something to see


def test_what_the_bundle_carries_is_the_same_read_again_and_holds_no_case(base: Baseline) -> None:
    kept = json.loads(baseline.as_file(base.to_dict()))
    again = Baseline.from_dict(kept)
    assert baseline.as_file(again.to_dict()) == baseline.as_file(base.to_dict())
    assert judged(again, drawn(400, 1)) == judged(base, drawn(400, 1))
    seen = drawn(1600, 0)
    text = json.dumps(kept)
    own = {repr(float(value)) for name in ("x1", "x2") for value in seen.values[name] if np.isfinite(value)}
    assert not [value for value in own if value in text]
    assert len(text) < 20_000


def test_a_rare_category_is_not_named_in_the_bundle(charter_of: Any) -> None:
    seen = drawn(800, 0)
    colour = seen.values["colour"].copy()
    colour[:5] = "Ada Okafor"
    kept = json.dumps(learnt(charter_of(), with_column(seen, "colour", colour)).to_dict())
    assert "Ada Okafor" not in kept and "red" in kept


def test_several_classes_and_numbers_are_watched_as_well(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    seen = drawn(1200, 0)
    said = random.dirichlet([2, 2, 2], 1200)
    known = np.array([random.choice(3, p=row) for row in said], dtype=float)
    classes = replace(seen, answers=said, known=known)
    three: Any = SimpleNamespace(classes=("a", "b", "c"))
    base = baseline.of(charter_of(), three, Policy("multiclass"), classes, None, 0, sizes=(200,))
    assert base.score is not None and base.estimate is not None
    assert abs(base.score.value - base.estimate.value) < 0.05
    moved = replace(
        classes.part(np.arange(400)), answers=said[:400] * [0.2, 1, 1] / (said[:400] * [0.2, 1, 1]).sum(1)[:, None]
    )
    assert judged(base, moved)["prediction_drift"].fires
    numbers = replace(seen, answers=100 * seen.answers, known=100 * seen.answers + random.normal(0, 5, 1200))
    none: Any = SimpleNamespace(classes=())
    charter = charter_of(prediction={"problem_type": "regression", "metric": "mae"})
    base = baseline.of(charter, none, Policy("regression"), numbers, None, 0, sizes=(200,))
    assert base.score is not None and base.score.value == pytest.approx(-4, abs=0.3)
    assert base.estimate is not None and base.estimate.value == pytest.approx(base.score.value, abs=1e-6)
    worse = replace(numbers, known=100 * seen.answers + random.normal(0, 8, 1200))
    assert judged(base, worse)["realised_performance"].fires
    assert not judged(base, numbers)["realised_performance"].fires


def test_clean_windows_raise_as_few_alerts_as_stated(base: Baseline) -> None:
    answer = alarms.measure(base, drawn(1600, 0), None, 0)
    value, message = answer.value, answer.message
    assert value is not None and 0.3 < value < 2, message
    assert "400 windows of 200" in message


def test_levels_that_are_too_lax_are_seen_in_the_measured_rate(base: Baseline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clean, "RATES", {"ticket": 0.5, "page": 0.2})
    answer = alarms.measure(base, drawn(1600, 0), None, 0)
    value = answer.value
    assert value is not None and value > 2


def test_the_measured_rate_is_skipped_where_few_cases_or_groups_were_held_back(base: Baseline) -> None:
    assert alarms.measure(base, drawn(150, 0), None, 0).value is None
    answer = alarms.measure(base, drawn(1600, 0), np.arange(1600) % 5, 0)
    value, message = answer.value, answer.message
    assert value is None and "5 groups" in message


def test_cases_that_belong_together_raise_the_level(charter_of: Any) -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(80), 20)
    seen = drawn(1600, 0)
    alike = with_column(seen, "x1", random.normal(size=80)[groups] + 0.1 * random.normal(size=1600))
    alone, together = learnt(charter_of(), alike), learnt(charter_of(), alike, groups)
    assert together.levels.ticket[0] < alone.levels.ticket[0] / 10
    answer = alarms.measure(together, alike, groups, 0)
    value, message = answer.value, answer.message
    assert value is not None and value < 2, message


@pytest.mark.parametrize(
    ("firing", "computed", "wanted"),
    [
        (set(), {"input_drift"}, "nothing"),
        (set(), set(), "unknown"),
        ({"input_drift"}, {"realised_performance"}, "watch"),
        ({"input_drift"}, set(), "get_outcomes"),
        ({"realised_performance", "input_drift"}, set(), "retrain"),
        ({"realised_value"}, {"input_drift"}, "concept_changed"),
        ({"realised_performance", "input_broken"}, set(), "mend_source"),
        ({"input_broken", "bundle_intact"}, set(), "mend_service"),
        ({"staleness"}, {"input_drift"}, "retrain_old"),
        ({"latency"}, {"input_drift"}, "look_at_service"),
    ],
)
def test_the_advice_follows_from_the_alerts(firing: set[str], computed: set[str], wanted: str) -> None:
    found = [alerts.found(name, 1, 0, 100, "", True) for name in firing]
    found += [alerts.found(name, 0, 1, 100, "", False) for name in computed]
    assert advice.advise(found).id == wanted


def test_every_alert_says_what_to_do_and_is_named_in_the_advice() -> None:
    named = {name for row in advice.TABLE for name in row.one_of}
    for alert in alerts.ALERTS:
        assert all((alert.means, alert.first_check, alert.action, alert.owner)), alert.id
        assert alert.id in named, alert.id
