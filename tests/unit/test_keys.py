"""Keys: orphans, copies and fan-out are counted exactly over all rows, however the silos store them."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab2live.eda.checks import keys, survey
from lab2live.eda.checks.findings import Finding, Skip


def loud(found: list[Finding | Skip]) -> list[Finding]:
    return [one for one in found if isinstance(one, Finding) and one.severity != "info"]


def named(count: int, start: int = 0) -> list[str]:
    return [f"C{number:05d}" for number in range(start, start + count)]


def test_orphans_are_counted_in_distinct_keys_both_ways(surveyed: Any) -> None:
    base = pd.DataFrame({"id": [1, 2, 3, 4, None]})
    other = pd.DataFrame({"id": ["1", "1", "2", "8", "9", "9", None], "z": 1})
    (found,) = keys.orphans(*surveyed({"base": base, "other": other}))
    assert isinstance(found, Finding)
    assert (found.check, found.source, found.column) == ("integration.orphan_keys", "other", "id")
    assert (found.value, found.rows, found.severity, found.examples) == (0.5, 2, "fail", ("8", "9"))
    assert "50.0% of the keys in other (2 of 4) are unknown to base; 50.0% of the keys in base" in found.message


@pytest.mark.parametrize("kinds", [(int, float), (float, str), (int, str)])
@pytest.mark.parametrize("file", ["parquet", "sqlite", "csv"])
def test_keys_that_say_the_same_are_no_orphans_however_they_are_stored(surveyed: Any, kinds: Any, file: str) -> None:
    numbers = pd.Series([1, 2, 3])
    first, second = (numbers.astype(kind) for kind in kinds)
    second = second.str.replace(".0", "") if kinds[1] is str else second
    frames = {"base": pd.DataFrame({"id": first}), "other": pd.DataFrame({"id": second})}
    (found,) = keys.orphans(*surveyed(frames, file))
    assert isinstance(found, Finding)
    assert (found.value, found.severity, found.examples) == (0.0, "info", ())


def test_leading_zeros_make_another_key_and_the_message_says_what_would_match(surveyed: Any) -> None:
    base = pd.DataFrame({"id": [f"{number:05d}" for number in range(1, 60)]})
    other = pd.DataFrame({"id": [f" {number}" for number in range(1, 60)]})
    (found,) = loud(keys.orphans(*surveyed({"base": base, "other": other})))
    assert found.rows == 59
    assert (
        "59 of 59 of them would be found if upper case, spaces, signs and leading zeros did not count" in found.message
    )


def test_orphans_of_several_keys_are_combinations(surveyed: Any) -> None:
    base = pd.DataFrame({"id": [1, 2], "month": ["a", "b"]})
    other = pd.DataFrame({"month": ["a", "b", "b"], "id": [1, 1, 2], "z": 1})
    join = {"base": "base", "on": ["id", "month"]}
    (found,) = keys.orphans(*surveyed({"base": base, "other": other}, join=join))
    assert isinstance(found, Finding)
    assert (found.column, found.rows, found.value, found.examples) == ("id, month", 1, pytest.approx(1 / 3), ("1 / b",))


def test_a_source_without_the_key_breaks_no_check(surveyed: Any) -> None:
    charter, surveys = surveyed({"base": pd.DataFrame({"id": [1, 2]}), "other": pd.DataFrame({"nr": [1, 2]})})
    assert keys.orphans(charter, surveys) == keys.fan_out(charter, surveys) == []
    assert keys.duplicates(charter, surveys[1]) == []


def test_duplicate_keys_are_counted_in_rows_too_many_and_missing_keys_are_no_copies(surveyed: Any) -> None:
    base = pd.DataFrame({"id": [*named(100), *named(3), "C00000", None, None], "x": range(106)})
    charter, surveys = surveyed({"base": base}, prediction={"id_column": "id"})
    (found,) = loud(keys.duplicates(charter, surveys[0]))
    assert (found.check, found.source, found.column) == ("integration.duplicate_keys", "base", "id")
    assert (found.value, found.rows, found.severity) == (4.0, 4, "fail")
    assert found.examples[0] == "C00000" and set(found.examples) == set(named(3))


def test_keys_that_differ_in_case_or_spaces_are_one_thing_spelt_twice(surveyed: Any) -> None:
    base = pd.DataFrame({"id": [*named(50), "c00001", "C00002 ", "C 00002"]})
    charter, surveys = surveyed({"base": base}, prediction={"id_column": "id"})
    (found,) = loud(keys.duplicates(charter, surveys[0]))
    assert (found.source, found.column, found.severity, found.rows) == ("base", "id", "fail", 2)
    assert found.examples == ("'C00001' | 'c00001'", "'C 00002' | 'C00002' | 'C00002 '")


def test_keys_whose_case_tells_them_apart_are_no_spellings(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    letters = np.array([*string.ascii_letters])
    made = ["".join(random.choice(letters, 6)) for _ in range(300)]
    charter, surveys = surveyed({"base": pd.DataFrame({"id": [*made, *(key.swapcase() for key in made[:5])]})})
    assert loud(keys.duplicates(charter, surveys[0])) == []


def test_an_aggregated_source_may_have_many_rows_a_key_but_not_several_spellings(surveyed: Any) -> None:
    base = pd.DataFrame({"id": named(50)})
    events = pd.DataFrame({"id": named(50) * 3, "z": range(150)})
    charter, surveys = surveyed({"base": base, "other": events}, key="id", aggregate={"n": "count(*)"})
    assert loud(keys.duplicates(charter, surveys[1])) == loud(keys.fan_out(charter, surveys)) == []
    events.loc[7, "id"] = "c00007"
    charter, surveys = surveyed({"base": base, "other": events}, key="id", aggregate={"n": "count(*)"})
    (found,) = loud(keys.duplicates(charter, surveys[1]))
    assert (found.source, found.column, found.examples) == ("other", "id", ("'C00007' | 'c00007'",))


def test_a_join_that_multiplies_rows_is_counted_exactly(surveyed: Any) -> None:
    base = pd.DataFrame({"id": named(100)})
    other = pd.DataFrame({"id": [*named(50), *named(50), *named(10)], "z": range(110)})
    charter, surveys = surveyed({"base": base, "other": other})
    (found,) = loud(keys.fan_out(charter, surveys))
    assert (found.check, found.source, found.column) == ("integration.fan_out", "other", "id")
    assert (found.value, found.rows, found.severity) == (pytest.approx(0.6), 60, "fail")
    assert "100 rows become 160" in found.message and len(found.examples) == 3
    assert loud(keys.duplicates(charter, surveys[1])) == []  # by its nature, not by error


def test_unique_keys_multiply_nothing(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": named(100)})
    charter, surveys = surveyed({"base": frame, "other": frame})
    assert loud(keys.fan_out(charter, surveys)) == loud(keys.duplicates(charter, surveys[1])) == []


@pytest.mark.parametrize("file", ["parquet", "sqlite"])
def test_large_tables_are_counted_inside_the_engine_with_the_same_result(
    surveyed: Any, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    base = pd.DataFrame({"id": [*named(400), "c00007"], "x": 1.0})
    unique = pd.DataFrame({"id": named(300, 300), "z": 1})
    several = pd.DataFrame({"id": named(300, 300) * 2 + ["C00001 "], "z": 1})
    for other in (unique, several):
        small = surveyed({"base": base, "other": other}, file)
        with monkeypatch.context() as patched:
            patched.setattr(survey, "SAMPLE_ROWS", 100)
            large = surveyed({"base": base, "other": other}, file)
        assert not large[1][0].complete
        for look in (keys.orphans, keys.fan_out):
            expected, found = look(*small), look(*large)
            assert [(one.severity, one.value, one.rows) for one in found] == [
                (one.severity, one.value, one.rows) for one in expected
            ]
        for place in (0, 1):
            expected, found = (keys.duplicates(charter, surveys[place]) for charter, surveys in (small, large))
            assert [(one.column, one.value, one.rows) for one in found] == [
                (one.column, one.value, one.rows) for one in expected
            ]


def events(random: np.random.Generator, rows: int = 2000) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "id": random.integers(0, 700, rows),
            "day": random.integers(0, 90, rows),
            "topic": random.choice(["bill", "network", "device"], rows),
        }
    )


def test_rows_that_are_there_twice_are_found_with_their_number(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    frame = events(random).assign(wait=random.gamma(2, 9, 2000).round(2))
    frame = pd.concat([frame, frame.sample(20, random_state=0)], ignore_index=True)
    charter, surveys = surveyed({"tickets": frame}, key="id")
    (found,) = loud(keys.copies(charter, surveys[0]))
    assert (found.check, found.source, found.column) == ("duplicate.rows", "tickets", None)
    assert (found.severity, found.rows) == ("warn", 20) and len(found.examples) == 3


def test_events_that_coincide_by_chance_are_no_copies(surveyed: Any) -> None:
    frame = events(np.random.default_rng(1))
    assert frame.duplicated().sum() > 5
    charter, surveys = surveyed({"tickets": frame}, key="id")
    assert loud(keys.copies(charter, surveys[0])) == []


def test_copies_in_a_large_table_are_estimated_from_some_of_its_keys(
    surveyed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    frame = events(random, 6000).assign(wait=random.gamma(2, 9, 6000))
    frame = pd.concat([frame, frame.sample(300, random_state=0)], ignore_index=True)
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 2500)
    charter, surveys = surveyed({"tickets": frame}, key="id")
    (found,) = loud(keys.copies(charter, surveys[0]))
    assert 100 < (found.rows or 0) < 900 and "values of wait" in found.message


texts = st.none() | st.text(max_size=4) | st.sampled_from(["a", "A ", "007", "7"])
keyed = st.lists(texts, max_size=12) | st.lists(st.none() | st.integers(-3, 3), max_size=12) | st.lists(st.floats())


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=keyed, second=keyed)
def test_no_keys_break_the_checks(surveyed: Any, first: list[Any], second: list[Any]) -> None:
    frames = {"base": pd.DataFrame({"id": [*first, 1]}), "other": pd.DataFrame({"id": [*second, 1]})}
    frames = {name: frame.assign(id=frame["id"].map(str, na_action="ignore")) for name, frame in frames.items()}
    charter, surveys = surveyed(frames)
    (found,) = keys.orphans(charter, surveys)
    assert isinstance(found, Finding) and 0 <= found.value <= 1
    known = set(frames["base"]["id"].dropna())
    assert found.rows == len(set(frames["other"]["id"].dropna()) - known)
    for one in surveys:
        assert all(isinstance(item, Finding) for item in keys.duplicates(charter, one) + keys.copies(charter, one))
    keys.fan_out(charter, surveys)
