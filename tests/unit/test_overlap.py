"""Test cases that the training part knows: counted where they are planted, none where there are none."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live.charter import gates
from lab2live.data import dataset, splits
from lab2live.data.splits import Split
from lab2live.poc.comparison.overlap import shared


def drawn(charter_of: Any, rows: int = 300, **prediction: Any) -> Any:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(rows, 4)), columns=list("abcd")).assign(
        key=[f"K{number}" for number in range(rows)],
        team=np.arange(rows) % 30,
        when=pd.date_range("2025-01-01", periods=rows),
        y=random.choice(["yes", "no"], rows),
    )
    charter = charter_of(prediction={"id_column": "key", **prediction})
    return charter, dataset.dataset(charter, frame)


@pytest.mark.parametrize("prediction", [{}, {"group_column": "team"}, {"time_column": "when"}])
def test_an_honest_split_shares_nothing(charter_of: Any, prediction: Any) -> None:
    charter, data = drawn(charter_of, **prediction)
    evidence = shared(charter, data, splits.split(charter, data, 0))
    value, message = evidence.value, evidence.message
    assert value == 0 and "None of 60 test cases" in message
    assert gates.judge("poc.split", value, message).status == "pass"


def test_whatever_is_in_both_parts_is_counted(charter_of: Any) -> None:
    charter, data = drawn(charter_of, group_column="team")
    split = Split(np.arange(240), np.arange(240, 300), "by hand")
    evidence = shared(charter, data, split)
    value, message = evidence.value, evidence.message
    assert value == 60 and "team is in both parts (60)" in message and "key" not in message
    assert gates.judge("poc.split", value, message).status == "fail"


def test_a_split_by_time_looks_backwards_only(charter_of: Any) -> None:
    charter, data = drawn(charter_of, group_column="team", time_column="when")
    split = Split(np.arange(240), np.arange(240, 300), "by hand")
    assert shared(charter, data, split).value == 0, "who comes again later is no leak"
    backwards = Split(split.test, split.train, "the wrong way")
    assert "before the end of the training part by when (240)" in shared(charter, data, backwards).message
    one_moment = dataclasses.replace(data, raw=data.raw.assign(when=data.raw["when"].iloc[0]))
    assert shared(charter, one_moment, split).value == 60, "a moment on both sides"
    late, _ = drawn(charter_of, time_column="when", label_delay_days=10)
    assert "before the labels of the training part are known by when (9)" in shared(late, data, split).message


def test_copies_of_rows_and_of_identifiers_are_counted(charter_of: Any) -> None:
    charter, data = drawn(charter_of)
    split = Split(np.arange(240), np.arange(240, 300), "by hand")
    raw = data.raw.copy()
    raw.iloc[240:245] = raw.iloc[:5].to_numpy()
    raw.loc[240:244, "key"] = [f"N{number}" for number in range(5)]
    raw.loc[250:251, "key"] = "K7"
    evidence = shared(charter, dataclasses.replace(data, raw=raw), split)
    value, message = evidence.value, evidence.message
    assert value == 7 and "key is in both parts (2); copies of a training row (5)" in message


def test_rows_that_are_equal_by_chance_are_no_copies(charter_of: Any) -> None:
    frame = pd.DataFrame({"a": [0, 1] * 50, "b": [0, 0, 1, 1] * 25, "c": [1, 2] * 50, "y": ["u", "v"] * 50})
    data = dataset.dataset(charter_of(), frame)
    evidence = shared(charter_of(), data, Split(np.arange(80), np.arange(80, 100), "by hand"))
    value, message = evidence.value, evidence.message
    assert value == 0 and "equal by chance" in message
