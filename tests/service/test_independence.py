"""The project's own code is found out where it looks at other cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import gates
from lab2live.handoff import bundle, independence

PEEKING: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "the mean of all": lambda frame: frame.assign(share=frame["bill"] / frame["bill"].mean()),
    "the rank": lambda frame: frame.assign(place=frame["bill"].rank()),
    "the row before": lambda frame: frame.assign(before=frame["bill"].shift()),
    "the number of the row": lambda frame: frame.assign(number=np.arange(len(frame))),
    "what is most frequent": lambda frame: frame.assign(usual=frame["contract"] == frame["contract"].mode()[0]),
    "a column only for many": lambda frame: frame.assign(large=1) if len(frame) > 600 else frame,
    "a little beside a large number": lambda frame: frame.assign(stamp=1.6e12 + 100 * frame["bill"].rank(pct=True)),
    "drawn anew": lambda frame: frame.assign(luck=np.random.default_rng().random(len(frame))),
}


@pytest.fixture
def loaded(bundled: Any) -> tuple[bundle.Bundle, pd.DataFrame]:
    made = bundled("binary")
    return bundle.load(made.folder), made.table


def test_code_that_looks_at_one_row_passes(loaded: tuple[bundle.Bundle, pd.DataFrame]) -> None:
    answer = independence.differing(*loaded)
    value, message = answer.value, answer.message
    assert value == 0 and message.startswith("features.py and rules.py give 700 cases the same")
    assert gates.judge("handoff.row_invariance", value, message).status == "pass"


@pytest.mark.parametrize("kind", PEEKING)
def test_features_that_look_at_others_fail(loaded: tuple[bundle.Bundle, pd.DataFrame], kind: str) -> None:
    found, rows = loaded
    peeking: Any = SimpleNamespace(add_features=PEEKING[kind])
    answer = independence.differing(replace(found, features=peeking), rows)
    value, message = answer.value, answer.message
    column = next(iter(set(PEEKING[kind](rows).columns) - set(rows.columns)))
    assert value is not None and value >= 1 and f"features.py: {column}" in message
    assert gates.judge("handoff.row_invariance", value, message).status == "fail"


def test_a_rule_that_looks_at_others_fails(loaded: tuple[bundle.Bundle, pd.DataFrame]) -> None:
    found, rows = loaded
    rules: Any = SimpleNamespace(score=lambda frame: (frame["age"] > frame["age"].median()).astype(float))
    answer = independence.differing(replace(found, rules=rules), rows)
    value, message = answer.value, answer.message
    assert value == 1 and "rules.py: score" in message


def test_code_that_breaks_on_a_case_alone_is_named(loaded: tuple[bundle.Bundle, pd.DataFrame]) -> None:
    found, rows = loaded

    def breaks(frame: pd.DataFrame) -> pd.DataFrame:
        if len(frame) == 1:
            raise ValueError("a secret")
        return frame

    features: Any = SimpleNamespace(add_features=breaks)
    answer = independence.differing(replace(found, features=features, rules=None), rows)
    value, message = answer.value, answer.message
    assert value == 1 and "features.py fails: ValueError" in message and "secret" not in message


def test_nothing_to_compare_is_a_skip_and_no_code_is_no_danger(loaded: tuple[bundle.Bundle, pd.DataFrame]) -> None:
    found, rows = loaded
    assert independence.differing(found, rows.head(1)).value is None
    assert independence.differing(replace(found, features=None, rules=None), rows).value == 0
