"""Measured once and remembered; held against the charter, or skipped where it sets no limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab2live import files
from lab2live.charter import gates
from lab2live.handoff import bundle
from lab2live.handoff.deploying import capacity
from lab2live.handoff.deploying.capacity import Capacity

MEASURED = Capacity(2.0, 10.0, 40.0, 100.0, 400.0, 0.02, 0.001, "3.11.7")
# Gate -> the field of the charter, and limits with which it passes, warns and fails.
LIMITS = {
    "handoff.latency": ("latency_ms", {"pass": 50, "warn": 45, "fail": 39}),
    "handoff.memory": ("memory_mb", {"pass": 500, "warn": 450, "fail": 399}),
    "handoff.throughput": ("requests_per_second", {"pass": 80, "warn": 90, "fail": 101}),
}


@pytest.mark.parametrize("status", ["pass", "warn", "fail"])
@pytest.mark.parametrize("gate", LIMITS)
def test_what_was_measured_is_held_against_the_charter(charter_of: Any, gate: str, status: str) -> None:
    field, limits = LIMITS[gate]
    judged = capacity.judged(charter_of(deployment={field: limits[status]}), MEASURED)
    value, message = judged[gate].value, judged[gate].message
    assert gates.judge(gate, value, message).status == status
    assert str(limits[status]) in message and re_measured(gate) in message
    assert gates.CATALOGUE[gate].timed


def re_measured(gate: str) -> str:
    return {"handoff.latency": "40 ms", "handoff.memory": "400 MB", "handoff.throughput": "100 requests"}[gate]


def test_without_a_limit_or_a_measurement_nothing_passes(charter_of: Any) -> None:
    for gate, answer in capacity.judged(charter_of(), MEASURED).items():
        value, message = answer.value, answer.message
        assert gates.judge(gate, value, message).status == "skip" and LIMITS[gate][0] in message
    unknown = replace(MEASURED, memory_mb=None)
    answer = capacity.judged(charter_of(deployment={"memory_mb": 500}), unknown)["handoff.memory"]
    value, message = answer.value, answer.message
    assert gates.judge("handoff.memory", value, message).status == "skip" and "does not say" in message
    nothing = replace(MEASURED, requests_per_second=0.0)
    answer = capacity.judged(charter_of(deployment={"requests_per_second": 1}), nothing)["handoff.throughput"]
    value, message = answer.value, answer.message
    assert gates.judge("handoff.throughput", value, message).status == "fail"


@pytest.mark.parametrize(
    ("python", "status"),
    [
        ("3.11", "pass"),
        ("3.13.2", "pass"),
        (3.12, "pass"),
        ("3.9", "fail"),
        ("3", "fail"),
        ("java", "fail"),
        (None, "skip"),
    ],
)
def test_the_python_of_the_platform_has_to_be_one_that_the_bundle_runs_on(
    charter_of: Any, python: object, status: str
) -> None:
    answer = capacity.python_fits(charter_of(deployment={"python": python}))
    value, message = answer.value, answer.message
    assert gates.judge("handoff.python", value, message).status == status
    assert not gates.CATALOGUE["handoff.python"].timed


def test_a_bundle_is_measured_once_and_another_one_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, kept = tmp_path / "bundle", tmp_path / "measured.json"
    folder.mkdir()
    (folder / bundle.MANIFEST).write_text("one")
    count = iter(range(10))
    monkeypatch.setattr(capacity, "measure", lambda *_: replace(MEASURED, p50_ms=float(next(count))))
    assert [capacity.once(kept, folder, None, 0).p50_ms for _ in range(3)] == [0, 0, 0]
    (folder / bundle.MANIFEST).write_text("another")
    assert [capacity.once(kept, folder, None, 0).p50_ms for _ in range(2)] == [1, 1]
    for broken in ("{", "{}", '{"bundle": 1}', '{"bundle": "x", "capacity": {"p50_ms": 1}}'):
        files.write_text(kept, broken)
        assert capacity.recalled(kept, "x") is None
    assert capacity.once(kept, folder, None, 0) == capacity.recalled(kept, capacity.core_hash(folder))


def test_the_table_shows_all_of_it_and_what_is_not_known() -> None:
    assert len(capacity.table(MEASURED)) == 7
    assert "not known" in capacity.table(replace(MEASURED, memory_mb=None))["measured"].tolist()
