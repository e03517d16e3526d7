"""A served bundle is really measured: every number is there, and is one that can be."""

from __future__ import annotations

import platform
import sys
from typing import Any

import numpy as np
import pytest

from lab2live.handoff import bundle, drill
from lab2live.handoff.deciding import Deciding
from lab2live.handoff.deploying import capacity


def test_a_served_bundle_is_measured(bundled: Any) -> None:
    made = bundled("regression")
    before = capacity.core_hash(made.folder)
    found = capacity.measure(made.folder, made.table, 0)
    assert 0 < found.p50_ms <= found.p95_ms < 1000
    assert 0.1 < found.start_seconds < 60
    # four who ask at once are answered at least half as fast as one after the other
    assert found.requests_per_second > 0.5 * 1000 / found.p95_ms
    assert 0 <= found.rollback_seconds < found.start_seconds and 0 < found.reload_seconds < 60
    if sys.platform == "linux":
        assert found.memory_mb is not None and 50 < found.memory_mb < 2_000
    assert found.python == platform.python_version()
    assert capacity.core_hash(made.folder) == before and bundle.load(made.folder)


def test_real_cases_are_answered_by_the_model(bundled: Any) -> None:
    """Else what is measured would be how fast the fallback is."""
    made = bundled("binary")
    cases = drill.real_cases(made.form, made.table.head(50))
    columns = {name: [case.get(name) for case in cases] for name in cases[0]}
    found = Deciding.of(bundle.load(made.folder)).about(columns, len(cases))
    assert set(found.reason) <= {"", "low_confidence", "out_of_distribution"} and np.isfinite(found.score).all()


def test_the_memory_of_a_process_that_is_gone_is_not_known() -> None:
    assert capacity._peak_memory(2**22 + 1) is None


@pytest.mark.parametrize("seconds", [0.05])
def test_the_quietest_round_counts_and_time_is_bounded(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    took = iter([0.9, 0.9, 0.1, 0.1, 0.5, 0.5] + [0.7] * 100)
    monkeypatch.setattr(capacity, "_timed", lambda *_: next(took))
    assert capacity._quietest(None, [{}, {}]) == pytest.approx((0.1, 0.1))
    monkeypatch.setattr(capacity, "PATIENCE", 0.0)
    assert capacity._quietest(None, [{}, {}]) == pytest.approx((0.7, 0.7))
    assert len(list(took)) == 100 - 4 - 2
