"""Leakage: copies of the outcome are found under any disguise, honest columns are left in peace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.eda.checks.findings import JOINED, Finding, Skip
from lab2live.eda.signal import copied, leakage, quick

Making = Callable[..., Charter]
ROWS = 2000


def world(kind: str = "binary", rows: int = ROWS, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Draw customers with an honest outcome; the strongest column alone ranks them with an AUC of about 0.8."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "key": [f"C{number:06d}" for number in random.permutation(900_000)[:rows]],
            "debt": random.normal(size=rows),
            "age": random.normal(45, 15, rows).round(),
            "plan": random.choice(["basic", "plus", "max"], rows, p=[0.5, 0.3, 0.2]),
            "calls": random.poisson(1.5, rows),
            "noise": random.normal(size=rows),
        }
    )
    margin = 1.8 * frame["debt"] + 0.7 * frame["calls"] + 1.1 * (frame["plan"] == "basic") - 0.02 * frame["age"]
    if kind == "regression":
        return frame.assign(y=margin + random.normal(size=rows)), margin.to_numpy()
    if kind == "multiclass":
        noisy = margin + random.logistic(size=rows)
        y = np.array(["low", "middle", "high"])[np.digitize(noisy, np.quantile(noisy, [0.4, 0.75]))]
        return frame.assign(y=y), margin.to_numpy()
    happens = random.random(rows) < 1 / (1 + np.exp(1.2 + margin.mean() - margin))
    return frame.assign(y=np.where(happens, "yes", "no")), happens.astype(float)


def look(
    charter_of: Making, table: pd.DataFrame, kind: str = "binary", origin: Any = None, **prediction: Any
) -> list[Finding]:
    problem = "regression" if kind == "regression" else "classification"
    charter = charter_of(prediction={"problem_type": problem, "id_column": "key", **prediction})
    found = leakage.leakage(charter, dataset.dataset(charter, table), table, origin or {})
    assert not [one for one in found if isinstance(one, Skip) and "could not be computed" in one.reason]
    return [one for one in found if isinstance(one, Finding)]


def places(found: list[Finding]) -> list[tuple[str, str, str | None]]:
    return [(one.check, one.source, one.column) for one in found if one.severity != "info"]


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_honest_columns_are_left_in_peace(charter_of: Making, kind: str) -> None:
    assert places(look(charter_of, world(kind)[0], kind)) == []


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_a_reason_written_only_for_one_class_is_found(charter_of: Making, strength: float) -> None:
    table, y = world()
    random = np.random.default_rng(1)
    written = (y == 1) & (random.random(ROWS) < strength)
    table["closed_reason"] = np.where(written, random.choice(["moved", "price"], ROWS), None)
    found = look(charter_of, table, origin={"closed_reason": "crm"})
    assert places(found) == [("leakage.feature", "crm", "closed_reason")]
    assert found[0].severity == ("fail" if strength == 1 else "warn")
    assert found[0].value > found[0].threshold
    assert all(example.endswith("yes") for example in found[0].examples)


@pytest.mark.parametrize("errors", [0.0, 0.05, 0.1])
def test_a_copy_of_the_outcome_with_errors_is_found(charter_of: Making, errors: float) -> None:
    table, y = world()
    table["flag"] = np.where(np.random.default_rng(2).random(ROWS) < errors, 1 - y, y)
    found = look(charter_of, table)
    assert places(found) == [("leakage.feature", JOINED, "flag")]
    assert found[0].severity == ("fail" if errors == 0 else "warn")


@pytest.mark.parametrize("kind", ["multiclass", "regression"])
def test_a_spoilt_copy_of_more_classes_or_of_a_number_is_found(charter_of: Making, kind: str) -> None:
    table, _ = world(kind)
    random = np.random.default_rng(3)
    spoilt = random.random(ROWS) < 0.1
    table["later"] = np.where(spoilt, random.permutation(table["y"]), table["y"])
    assert places(look(charter_of, table, kind)) == [("leakage.feature", JOINED, "later")]


def test_two_leaks_do_not_hide_each_other(charter_of: Making) -> None:
    table, y = world()
    day = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.random.default_rng(4).integers(0, 90, ROWS), unit="D")
    table["closed_on"] = pd.Series(day).where(y == 1)
    table["closed_reason"] = np.where(y == 1, "moved", None)
    assert set(places(look(charter_of, table))) == {
        ("leakage.time", JOINED, "closed_on"),
        ("leakage.feature", JOINED, "closed_reason"),
    }


def test_free_text_that_no_model_sees_tells_by_being_there(charter_of: Making) -> None:
    table, y = world()
    table["note"] = [f"called about case {row}" if one else None for row, one in enumerate(y)]
    found = look(charter_of, table)
    assert places(found) == [("leakage.feature", JOINED, "note")]
    assert "No model sees it" in found[0].message


def test_a_strong_cause_is_no_copy_and_an_effect_is(charter_of: Making) -> None:
    random = np.random.default_rng(5)
    cause, other = random.normal(size=(2, 4000))
    y = random.random(4000) < 1 / (1 + np.exp(-2 * cause - 1.5 * other))
    charter = charter_of(prediction={"positive_class": True})
    data = dataset.dataset(charter, pd.DataFrame({"cause": cause, "other": other, "y": y}))
    effect = y + random.normal(0, 0.8, 4000)
    assert not copied.is_copy(data, cause, other)
    assert not copied.apart(data, cause, {"other": other})
    assert copied.is_copy(data, effect, other)
    assert copied.apart(data, effect, {"cause": cause, "other": other})
    assert copied.same_thing(data, effect, {"cause": cause, "twin": effect + random.normal(0, 0.1, 4000)}) == {"twin"}


def test_power_of_numbers_looks_at_most_rows() -> None:
    truth = np.linspace(0, 1, 1000)[:, None]
    answers = truth.copy()
    answers[::5] = 0.5
    data = dataset.Dataset(pd.DataFrame(), pd.DataFrame(), truth[:, 0], (), dataset.Columns({}), 0)
    assert leakage.power(data, truth, answers)[0] > 0.99
    assert quick.skills(data, truth, answers)[0] < 0.9


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_date_after_the_moment_of_the_prediction_is_found(charter_of: Making, share: float) -> None:
    table, _ = world()
    random = np.random.default_rng(6)
    table["seen_on"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 300, ROWS), unit="D")
    table["signup"] = table["seen_on"] - pd.to_timedelta(random.integers(5, 900, ROWS), unit="D")
    later = table["seen_on"] + pd.to_timedelta(random.integers(2, 40, ROWS), unit="D")
    table["answered_on"] = later.where(random.random(ROWS) < share)
    table["due_on"] = table["seen_on"] + pd.to_timedelta(random.choice([14, 30], ROWS), unit="D")
    found = look(charter_of, table, time_column="seen_on", origin={"answered_on": "support"})
    assert places(found) == [("leakage.time", "support", "answered_on")]
    assert found[0].rows == int(table["answered_on"].notna().sum())
    assert "after" in found[0].examples[0]
    assert [one.column for one in found if one.severity == "info"] == ["due_on"]


def test_a_few_dates_from_the_future_in_a_column_of_the_past_are_found(charter_of: Making) -> None:
    table, _ = world()
    random = np.random.default_rng(7)
    table["seen_on"] = pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 300, ROWS), unit="D")
    days = np.where(random.random(ROWS) < 0.05, -random.integers(5, 60, ROWS), random.integers(5, 900, ROWS))
    table["visit"] = (table["seen_on"] - pd.to_timedelta(days, unit="D")).dt.strftime("%Y-%m-%d")
    assert places(look(charter_of, table, time_column="seen_on")) == [("leakage.time", JOINED, "visit")]


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_keys_given_in_the_order_of_the_outcome_are_found(charter_of: Making, share: float) -> None:
    table, y = world()
    rows = np.flatnonzero(np.random.default_rng(8).random(ROWS) < share)
    keys = table["key"].to_numpy(copy=True)
    keys[rows[np.argsort(y[rows], kind="stable")]] = np.sort(keys[rows])
    found = look(charter_of, table.assign(key=keys), origin={"key": "crm"})
    assert places(found) == [("leakage.identifier", "crm", "key")]
    assert len(found[0].examples) == 3


def test_letters_of_a_key_that_tell_the_outcome_are_found(charter_of: Making) -> None:
    table, y = world()
    key = table["key"].str[1:].radd(np.where(y == 1, "X", "A"))
    assert places(look(charter_of, table.assign(key=key))) == [("leakage.identifier", JOINED, "key")]


def test_a_file_sorted_by_the_outcome_is_found(charter_of: Making) -> None:
    table = world()[0].sort_values("y", kind="stable").reset_index(drop=True)
    assert places(look(charter_of, table)) == [("leakage.identifier", "s", None)]


def test_rows_that_come_in_clusters_of_the_outcome_are_found_unless_a_group_explains_them(charter_of: Making) -> None:
    table, y = world()
    order = np.random.default_rng(9).permutation(ROWS)
    clusters = np.concatenate([order[y[order] == 0].reshape(-1), order[y[order] == 1]])
    blocks = np.array_split(clusters, 300)
    rows = np.concatenate([blocks[place] for place in np.random.default_rng(10).permutation(300)])
    table = table.iloc[rows].reset_index(drop=True)
    found = look(charter_of, table)
    assert places(found) == [("leakage.identifier", "s", None)]
    assert "group_column" in found[0].message
    table["team"] = np.arange(ROWS) // 7
    assert places(look(charter_of, table, group_column="team")) == []


def test_keys_in_the_order_of_time_are_honest_when_time_explains_the_outcome(charter_of: Making) -> None:
    table, _ = world()
    random = np.random.default_rng(11)
    tenure = np.sort(random.gamma(1.5, 20, ROWS))
    table["tenure"] = tenure.round()
    table["y"] = np.where(random.random(ROWS) < 1 / (1 + np.exp(tenure / 10 - 2)), "yes", "no")
    table["key"] = [f"C{10_000 + row}" for row in range(ROWS)]
    assert places(look(charter_of, table)) == []


@pytest.mark.parametrize("share", [0.02, 0.01])
def test_cases_with_a_twin_are_found(charter_of: Making, share: float) -> None:
    table, _ = world()
    twins = table.sample(frac=share, random_state=0).assign(key=lambda frame: "Z" + frame["key"])
    found = look(charter_of, pd.concat([table, twins], ignore_index=True))
    assert places(found) == [("duplicate.rows", JOINED, None)]
    assert found[0].rows == len(twins)
    assert all(example.startswith("Z") for example in found[0].examples)


def test_cases_that_are_equal_because_columns_are_coarse_are_no_finding(charter_of: Making) -> None:
    random = np.random.default_rng(12)
    table = pd.DataFrame({f"answer{i}": random.integers(1, 5, ROWS) for i in range(5)})
    table["y"] = random.random(ROWS) < table["answer0"] / 6
    assert look(charter_of, table.assign(key=[f"k{row}" for row in range(ROWS)])) == []


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=4), st.floats(allow_nan=True), st.dates()),
            st.one_of(st.none(), st.floats(width=32), st.integers(-(10**30), 10**30)),
            st.sampled_from(["a", "b", None]),
        ),
        min_size=8,
        max_size=80,
    ),
    st.booleans(),
)
def test_hostile_tables_do_not_break_it(charter_of: Making, rows: list[tuple[Any, Any, Any]], timed: bool) -> None:
    frame = pd.DataFrame(rows, columns=["a", 'b "ü" 🌍', "y"]).astype({"a": object})
    if frame["y"].nunique() < 2:
        return
    frame["key"] = [f"k{row}" for row in range(len(frame))]
    charter = charter_of(prediction={"id_column": "key", **({"time_column": "a"} if timed else {})})
    try:
        data = dataset.dataset(charter, frame)
    except dataset.UserError:
        return
    for one in leakage.leakage(charter, data, frame, {}):
        assert not isinstance(one, Skip) or "could not be computed" not in one.reason, one


@pytest.mark.parametrize("kept", ["mean", "error", "worst", ""])
def test_measurements_of_a_tumour_are_no_copies_of_the_diagnosis(charter_of: Making, kept: str) -> None:
    frame = load_breast_cancer(as_frame=True).frame
    table = frame[[name for name in frame if kept in name or name == "target"]].rename(columns={"target": "y"})
    found = look(charter_of, table.assign(key=[f"P{row:04}" for row in table.index]))
    assert [one.column for one in found if one.check == "leakage.feature"] == []


@pytest.mark.parametrize("rows", [300, 600, 1200])
def test_a_copy_with_errors_in_a_small_table_is_found(charter_of: Making, rows: int) -> None:
    table, happens = world(rows=rows)
    random = np.random.default_rng(rows)
    wrong = random.random(rows) < 0.05
    table["score"] = random.normal(30 + 40 * np.where(wrong, 1 - happens, happens), 10).round(1)
    assert places(look(charter_of, table)) == [("leakage.feature", JOINED, "score")]
