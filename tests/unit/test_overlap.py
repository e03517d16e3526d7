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
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(300, 4)), columns=list("abcd"))
    frame = frame.assign(key=[f"K{number}" for number in range(300)], y=random.choice(["yes", "no"], 300))
    frame.iloc[240:245, [0, 1, 2, 3, 5]] = frame.iloc[:5, [0, 1, 2, 3, 5]].to_numpy()
    frame.loc[250:251, "key"] = "K7"
    charter = charter_of(prediction={"id_column": "key"})
    data = dataset.dataset(charter, frame)
    evidence = shared(charter, data, Split(np.arange(240), np.arange(240, 300), "by hand"))
    value, message = evidence.value, evidence.message
    assert value == 7 and "key is in both parts (2); copies of a training row (5)" in message
    honest = splits.split(charter, data, 0)
    assert shared(charter, data, honest).value == 0
    told = "rows of one key together and copies of rows together (5 repeat another row), at random: 20% of the rows"
    assert honest.how == told


@pytest.mark.parametrize("share", [0.0003, 0.01, 0.05, 0.3, 0.37])
def test_copies_are_kept_on_one_side_however_many_there_are(charter_of: Any, share: float) -> None:
    random = np.random.default_rng(1)
    frame = pd.DataFrame(random.normal(size=(4000, 3)), columns=list("abc"))
    frame["y"] = random.choice(["yes", "no"], len(frame))
    copied = frame.sample(round(len(frame) * share / (1 - share)), random_state=0)
    data = dataset.dataset(charter_of(), pd.concat([frame, copied], ignore_index=True))
    split = splits.split(charter_of(), data, 0)
    assert f"({len(copied):,} repeat another row)" in split.how
    evidence = shared(charter_of(), data, split)
    assert evidence.value == 0 and "looked at: copies of a training row" in evidence.message
    for learn, validate in [(split.train, split.test), *splits.folds(charter_of(), data, split.train, 5, 1, 0)]:
        assert not {*data.copies[learn]} & {*data.copies[validate]}
        assert abs(data.outcome[learn].mean() - data.outcome[validate].mean()) < 0.03
    assert shared(charter_of(), data, Split(np.arange(4000), np.arange(4000, len(data.outcome)), "")).value == len(
        copied
    )


@pytest.mark.parametrize("seed", range(5))
def test_rows_that_are_equal_by_chance_are_no_copies(charter_of: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = 8000
    frame = pd.DataFrame(
        {
            "age": random.integers(18, 80, rows),
            "income": np.exp(random.normal(7.8, 0.4, rows)).round(-2),
            "region": random.choice([*"abcde"], rows),
            "sex": random.choice([*"mf"], rows),
            "job": random.choice([*"qwertyu"], rows),
        }
    )
    likely = 1 / (1 + np.exp((45 - frame["age"]) / 10 - (frame["region"] == "a")))
    for outcome in (random.random(rows) < likely, likely > 0.5):
        data = dataset.dataset(charter_of(), frame.assign(y=outcome))
        assert data.copies is None and data.repeating == {}
        split = splits.split(charter_of(), data, 0)
        assert split.in_shares and shared(charter_of(), data, split).value == 0
    coarse = pd.DataFrame({"a": [0, 1] * 50, "b": [0, 0, 1, 1] * 25, "c": [1, 2] * 50, "y": ["u", "v"] * 50})
    assert dataset.dataset(charter_of(), coarse).copies is None


def people(random: np.random.Generator, *, outcome_of: str) -> pd.DataFrame:
    """Eight rows a person, whose properties stay the same; outcomes are those of the person or of the row."""
    person = np.repeat(np.arange(250), 8)
    frame = pd.DataFrame(random.normal(size=(250, 3))[person], columns=list("abc")).assign(d=random.normal(size=2000))
    frame["person"] = random.permutation(9000)[:250][person]
    frame["y"] = random.integers(0, 2, 250)[person] if outcome_of == "person" else random.integers(0, 2, 2000)
    return frame.sample(frac=1, random_state=0)


@pytest.mark.parametrize("text", [False, True])
def test_a_column_that_seems_to_name_persons_is_kept_together_and_asked_about(charter_of: Any, text: bool) -> None:
    frame = people(np.random.default_rng(2), outcome_of="person")
    if text:
        frame["person"] = "P" + frame["person"].astype(str)
    data = dataset.dataset(charter_of(), frame)
    split = splits.split(charter_of(), data, 0)
    who = data.raw["person"].to_numpy()
    for learn, validate in [(split.train, split.test), *splits.folds(charter_of(), data, split.train, 5, 1, 0)]:
        assert not {*who[learn]} & {*who[validate]}
    evidence = shared(charter_of(), data, split)
    assert evidence.value is None and "Do the rows of one person belong together?" in evidence.message
    assert gates.judge("poc.split", evidence.value, evidence.message).status == "skip"
    by_hand = Split(np.arange(1600), np.arange(1600, 2000), "")
    assert shared(charter_of(), data, by_hand).value > 300
    yes, no = (charter_of(prediction=said) for said in ({"group_column": "person"}, {"immutable": ["person"]}))
    assert shared(yes, dataset.dataset(yes, frame), splits.split(yes, data, 0)).value == 0
    assert splits.split(no, data, 0).in_shares and shared(no, data, splits.split(no, data, 0)).value == 0


def test_persons_without_a_name_are_known_by_what_stays_the_same(charter_of: Any) -> None:
    data = dataset.dataset(charter_of(), people(np.random.default_rng(2), outcome_of="person").drop(columns="person"))
    split = splits.split(charter_of(), data, 0)
    assert data.copies is None and not {*data.raw["a"].iloc[split.train]} & {*data.raw["a"].iloc[split.test]}
    assert "Do the rows of one a belong together?" in shared(charter_of(), data, split).message


def test_persons_whose_outcomes_differ_row_by_row_are_no_question(charter_of: Any) -> None:
    data = dataset.dataset(charter_of(), people(np.random.default_rng(3), outcome_of="row"))
    evidence = shared(charter_of(), data, splits.split(charter_of(), data, 0))
    assert evidence.value == 0 and "?" not in evidence.message


@pytest.mark.parametrize("honest", [False, True])
def test_outcomes_that_hang_together_in_time_are_asked_about(charter_of: Any, honest: bool) -> None:
    random = np.random.default_rng(4)
    rows = 1200
    levels = random.normal(size=rows) if honest else np.convolve(random.normal(size=rows + 29), np.ones(30), "valid")
    frame = pd.DataFrame({"day": pd.date_range("2021-01-01", periods=rows), "a": random.normal(size=rows)})
    data = dataset.dataset(charter_of(), frame.assign(y=levels > 0).sample(frac=1, random_state=0))
    evidence = shared(charter_of(), data, splits.split(charter_of(), data, 0))
    assert (evidence.value is None) == ("Does day say when a case was recorded?" in evidence.message) == (not honest)
    said = charter_of(prediction={"immutable": ["day"]})
    assert shared(said, data, splits.split(said, data, 0)).value == 0
