"""Units, conflicts, rows and clocks: what was planted is found in its place, and plain data stay silent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from lab2live.eda.checks import agreement, misaligned, slips, survey, units
from lab2live.eda.checks.findings import Finding, Skip
from lab2live.eda.checks.shifted import scaled_part

ROWS = 3000


def loud(found: list[Finding | Skip]) -> list[Finding]:
    return [one for one in found if isinstance(one, Finding) and one.severity != "info"]


def places(found: list[Finding | Skip]) -> set[tuple[str, str, str | None]]:
    return {(one.check, one.source, one.column) for one in loud(found)}


def customers(seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    tariff = random.choice(["basic", "plus", "pro"], ROWS, p=[0.5, 0.3, 0.2])
    price = pd.Series(tariff).map({"basic": 10.0, "plus": 22.0, "pro": 40.0}).to_numpy()
    return pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "tariff": tariff,
            "amount": (price * random.lognormal(0, 0.3, ROWS)).round(2),
            "usage": random.lognormal(2, 1.0, ROWS),
            "tickets": random.poisson(1.2, ROWS),
            "region": random.choice(["north", "south", "west"], ROWS),
        }
    )


def with_cents(frame: pd.DataFrame, column: str, share: float, factor: float = 100) -> pd.DataFrame:
    rows = np.random.default_rng(9).random(len(frame)) < share
    return frame.assign(**{column: frame[column].where(~rows, (frame[column] * factor).round(2))})


@pytest.mark.parametrize("column", ["amount", "usage"])
@pytest.mark.parametrize("share", [0.03, 0.1])
def test_cents_among_euros_are_found(surveyed: Any, column: str, share: float) -> None:
    frame = with_cents(customers(), column, share)
    planted = int((frame[column] != customers()[column]).sum())
    charter, surveys = surveyed({"crm": frame}, key="id")
    (found,) = loud(units.unit(charter, surveys[0]))
    assert (found.check, found.source, found.column, found.severity) == ("consistency.unit", "crm", column, "warn")
    assert found.rows == pytest.approx(planted, rel=0.1) and "100 times as large as" in found.message
    assert len(found.examples) == 3


def test_skewed_columns_and_prices_of_different_things_are_no_other_unit(surveyed: Any) -> None:
    random = np.random.default_rng(1)
    kind = random.choice(["pencil", "laptop"], ROWS)
    frame = customers().assign(
        pareto=random.pareto(1.2, ROWS) + 1,
        gamma=random.gamma(0.5, 9, ROWS),
        kind=kind,
        price=np.where(kind == "laptop", 100.0, 1.0) * random.lognormal(0, 0.2, ROWS),
        mostly_zero=np.where(random.random(ROWS) < 0.9, 0, random.lognormal(3, 1, ROWS)),
    )
    charter, surveys = surveyed({"crm": frame}, key="id")
    assert loud(units.unit(charter, surveys[0])) == []


def test_a_whole_column_in_another_unit_shows_against_the_earlier_extract(surveyed: Any) -> None:
    before = customers()
    after = before.assign(usage=before["usage"] * 1000)
    charter, surveys = surveyed({"crm": after}, earlier={"crm": before}, key="id")
    (found,) = loud(units.unit(charter, surveys[0]))
    assert (found.column, found.severity, found.value) == ("usage", "fail", 1.0)
    unchanged = surveyed({"crm": before}, earlier={"crm": before.iloc[:-200]}, key="id")
    assert loud(units.unit(unchanged[0], unchanged[1][0])) == []


def test_five_rows_that_grew_by_the_same_factor_are_enough(surveyed: Any) -> None:
    before = customers()
    after = before.copy()
    after.loc[:7, "usage"] *= 2.54
    charter, surveys = surveyed({"crm": after}, earlier={"crm": before}, key="id")
    (found,) = loud(units.unit(charter, surveys[0]))
    assert (found.column, found.rows) == ("usage", 8)


def test_values_beyond_the_declared_limits_that_a_factor_brings_back(surveyed: Any) -> None:
    frame = pd.DataFrame({"id": range(ROWS), "height": np.random.default_rng(0).normal(1.75, 0.1, ROWS)})
    frame.loc[:29, "height"] *= 100
    more = {"key": "id", "columns": {"height": {"min": 1.2, "max": 2.3}}}
    charter, surveys = surveyed({"crm": frame}, **more)
    (found,) = loud(units.unit(charter, surveys[0]))
    assert (found.column, found.rows) == ("height", 30)


def test_a_known_shape_twice_is_a_copy_and_a_heavy_tail_is_none() -> None:
    random = np.random.default_rng(0)
    values = random.lognormal(3, 0.6, 5000)
    assert scaled_part(values) is None and scaled_part(random.pareto(0.9, 5000)) is None
    rows = random.random(5000) < 0.03
    found = scaled_part(np.where(rows, values / 1000, values))
    assert found is not None and found.factor == pytest.approx(0.001) and (found.rows == rows).mean() > 0.999


def to_digits(values: np.ndarray, digits: int) -> np.ndarray:
    return np.array([float(f"{value:.{digits}g}") for value in values])


@pytest.mark.parametrize("middle", [2, 4, -3])
@pytest.mark.parametrize("digits", [3, 4])
def test_skewed_measurements_rounded_to_digits_are_in_one_unit(middle: float, digits: int) -> None:
    for seed in range(20):
        random = np.random.default_rng(seed)
        assert scaled_part(to_digits(random.lognormal(middle, 1.1, 569), digits)) is None


@pytest.mark.parametrize("factor", [10, 100, 0.01])
def test_amounts_with_cents_in_another_unit_are_still_found(factor: float) -> None:
    random = np.random.default_rng(1)
    values = random.lognormal(3, 0.8, 5000).round(2)
    rows = random.random(5000) < 0.025
    found = scaled_part(np.where(rows, (values * factor).round(4), values))
    assert found is not None and found.factor == pytest.approx(factor)


def test_an_area_is_as_skewed_as_tumours_are(surveyed: Any) -> None:
    frame = load_breast_cancer(as_frame=True).frame.rename_axis("id").reset_index()
    for seed in range(12):
        charter, surveys = surveyed({"base": frame.sample(frac=0.3 + 0.05 * seed, random_state=seed)})
        assert loud(units.unit(charter, surveys[0])) == []


def test_the_source_that_stands_apart_is_named_across_sources(surveyed: Any) -> None:
    crm = customers()[["id", "amount"]]
    billing = crm.rename(columns={"amount": "paid"}).sample(frac=1, random_state=0).reset_index(drop=True)
    billing["paid"] = billing["paid"] * np.random.default_rng(3).normal(1, 0.05, ROWS)
    assert loud(units.unit_across(*surveyed({"crm": crm, "billing": billing}))) == []
    charter, surveys = surveyed({"crm": crm, "billing": with_cents(billing, "paid", 0.05)})
    assert places(units.unit_across(charter, surveys)) == {("consistency.unit", "billing", "paid")}
    charter, surveys = surveyed({"crm": with_cents(crm, "amount", 0.05), "billing": billing})
    assert places(units.unit_across(charter, surveys)) == {("consistency.unit", "crm", "amount")}


def test_a_shared_column_in_another_unit_is_a_unit_and_no_conflict(surveyed: Any) -> None:
    crm = customers()[["id", "amount"]]
    charter, surveys = surveyed({"crm": crm, "billing": crm.assign(amount=crm["amount"] * 2.20462)})
    (found,) = loud(units.unit_across(charter, surveys))
    assert (found.source, found.column, found.severity) == ("billing", "amount", "fail")
    assert loud(agreement.conflict(charter, surveys)) == []


@pytest.mark.parametrize(("share", "severity"), [(0.02, "warn"), (0.1, "fail")])
def test_sources_that_disagree_about_an_attribute(surveyed: Any, share: float, severity: str) -> None:
    crm = customers()[["id", "region"]]
    other = crm.copy()
    changed = int(share * ROWS)
    other.loc[: changed - 1, "region"] = [
        {"north": "south", "south": "west", "west": "north"}[was] for was in crm["region"][:changed]
    ]
    (found,) = loud(agreement.conflict(*surveyed({"crm": crm, "billing": other.sample(frac=1, random_state=0)})))
    assert (found.check, found.source, found.column) == ("consistency.conflict", "billing", "region")
    assert (found.severity, found.value, found.rows) == (severity, pytest.approx(share), changed)
    assert len(found.examples) == 3 and " / " in found.examples[0]


def test_spelling_rounding_and_a_name_that_means_two_things_are_no_conflicts(surveyed: Any) -> None:
    crm = customers()[["id", "region", "usage", "tickets"]]
    random = np.random.default_rng(2)
    other = crm.assign(
        region=crm["region"].str.upper() + " ", usage=crm["usage"].round(2), tickets=random.permutation(crm["tickets"])
    )
    found = agreement.conflict(*surveyed({"crm": crm, "billing": other}))
    assert loud(found) == []
    assert [(one.column, one.severity) for one in found if isinstance(one, Finding)] == [("tickets", "info")]


def test_a_value_that_changes_for_one_row_only_is_an_error_and_a_move_is_life(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    people = random.choice(["north", "south", "west"], 500)
    frame = pd.DataFrame({"id": np.repeat(np.arange(500), 6), "region": np.repeat(people, 6)})
    moved = frame.assign(region=np.where((frame["id"] % 20 == 0) & (frame.index % 6 > 2), "east", frame["region"]))
    charter, surveys = surveyed({"invoices": moved}, key="id")
    assert loud(agreement.conflict(charter, surveys)) == []
    wrong = random.random(len(frame)) < 0.03
    charter, surveys = surveyed({"invoices": frame.assign(region=frame["region"].where(~wrong, "east"))}, key="id")
    (found,) = loud(agreement.conflict(charter, surveys))
    assert (found.source, found.column, found.severity) == ("invoices", "region", "warn")


def slipped(frame: pd.DataFrame, column: str, share: float) -> pd.DataFrame:
    start = round((1 - share) * len(frame))
    return frame.assign(**{column: frame[column].where(frame.index < start, frame[column].shift(1))})


@pytest.mark.parametrize("share", [0.2, 0.4, 1.0])
def test_a_column_that_slipped_no_longer_goes_with_the_others(surveyed: Any, share: float) -> None:
    frame = customers().assign(bill=lambda table: table["amount"] + table["usage"] / 10)
    charter, surveys = surveyed({"crm": slipped(frame, "amount", share)}, key="id")
    found = {one.column: one for one in loud(misaligned.misaligned(charter, surveys[0]))}
    assert "amount" in found
    assert found["amount"].value == pytest.approx(share, abs=0.02) and found["amount"].severity == "fail"
    assert "1 row further up" in found["amount"].message


def test_rows_in_place_are_no_slip_also_where_they_are_sorted(surveyed: Any) -> None:
    frame = customers().sort_values(["tariff", "amount"]).reset_index(drop=True)
    for table in (customers(), frame, frame.assign(trend=np.arange(ROWS) + frame["amount"])):
        charter, surveys = surveyed({"crm": table}, key="id")
        assert loud(misaligned.misaligned(charter, surveys[0])) == []


@pytest.mark.parametrize(("rows", "columns"), [(600, 15), (600, 60), (250, 30), (1500, 60)])
def test_columns_that_never_went_together_did_not_slip(rows: int, columns: int) -> None:
    for seed in range(4):
        random = np.random.default_rng(seed)
        noise = {f"c{number}": random.normal(size=rows) for number in range(columns)}
        assert slips.slipped(slips.parts(noise, {})) == {}


def test_the_earlier_extract_shows_values_of_the_neighbour(surveyed: Any) -> None:
    before = customers()[["id", "usage", "tickets"]]
    charter, surveys = surveyed({"crm": slipped(before, "usage", 0.3)}, earlier={"crm": before}, key="id")
    (found,) = loud(misaligned.misaligned(charter, surveys[0]))
    assert (found.column, found.severity) == ("usage", "fail") and "in the neighbouring row" in found.message
    mixed = before.assign(usage=np.random.default_rng(0).permutation(before["usage"]))
    charter, surveys = surveyed({"crm": mixed}, earlier={"crm": before}, key="id")
    (found,) = loud(misaligned.misaligned(charter, surveys[0]))
    assert (found.column, found.value) == ("usage", pytest.approx(1, abs=0.01)) and "in other rows" in found.message
    new = before.assign(usage=before["usage"] * 1.1)
    charter, surveys = surveyed({"crm": new}, earlier={"crm": before}, key="id")
    assert loud(misaligned.misaligned(charter, surveys[0])) == []


def test_a_shared_column_that_slipped_is_misaligned_and_no_conflict(surveyed: Any) -> None:
    crm = customers()[["id", "region"]]
    other = slipped(crm.sample(frac=1, random_state=0).reset_index(drop=True), "region", 0.3)
    charter, surveys = surveyed({"crm": crm, "billing": other})
    assert places(misaligned.misaligned_across(charter, surveys)) == {("consistency.row_shift", "billing", "region")}
    assert loud(agreement.conflict(charter, surveys)) == []
    charter, surveys = surveyed({"crm": crm, "billing": crm})
    assert loud(misaligned.misaligned_across(charter, surveys)) == []


def test_a_column_that_slipped_against_the_base_is_found_through_what_goes_with_it(surveyed: Any) -> None:
    crm = customers()[["id", "tariff", "region"]]
    other = customers()[["id", "amount"]].sample(frac=1, random_state=0).reset_index(drop=True)
    assert loud(misaligned.misaligned_across(*surveyed({"crm": crm, "billing": other}))) == []
    found = misaligned.misaligned_across(*surveyed({"crm": crm, "billing": slipped(other, "amount", 0.5)}))
    assert ("consistency.row_shift", "billing", "amount") in places(found)


def test_times_that_are_whole_hours_from_the_same_moment_elsewhere(surveyed: Any) -> None:
    random = np.random.default_rng(0)
    when = pd.Timestamp("2026-01-01") + pd.to_timedelta(random.integers(0, 180 * 86_400, 1000), unit="s")
    orders = pd.DataFrame({"id": random.integers(0, 400, 1000), "ordered_at": when})
    booked = orders.rename(columns={"ordered_at": "booked_at"}).sample(frac=0.9, random_state=1)
    assert loud(agreement.timezone_across(*surveyed({"orders": orders, "bank": booked}))) == []
    late = random.random(len(booked)) < 0.1
    booked.loc[late, "booked_at"] += pd.Timedelta(hours=2)
    (found,) = loud(agreement.timezone_across(*surveyed({"orders": orders, "bank": booked})))
    assert (found.check, found.source, found.column) == ("consistency.timezone", "bank", "booked_at")
    assert (found.severity, found.rows) == ("warn", pytest.approx(late.sum(), abs=3))
    assert "2 hours after ordered_at in orders" in found.message


def test_a_column_of_one_name_may_be_off_in_every_row(surveyed: Any) -> None:
    when = pd.Timestamp("2026-01-01 10:17:31") + pd.to_timedelta(np.arange(100) * 77_777, unit="s")
    one, two = (pd.DataFrame({"id": range(100), "at": when + pd.Timedelta(hours=hours)}) for hours in (0, 1))
    (found,) = loud(agreement.timezone_across(*surveyed({"crm": one, "web": two})))
    assert (found.source, found.column, found.severity, found.value) == ("web", "at", "fail", 1.0)


def test_large_tables_are_compared_by_some_of_their_keys(surveyed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survey, "SAMPLE_ROWS", 1000)
    crm = customers()[["id", "region", "usage"]]
    wrong = np.random.default_rng(0).random(ROWS) < 0.1
    other = crm.assign(id=crm["id"].astype(str), region=crm["region"].where(~wrong, "east"))
    charter, surveys = surveyed({"crm": crm, "billing": other})
    (found,) = loud(agreement.conflict(charter, surveys))
    assert found.value == pytest.approx(0.1, abs=0.03) and "keys drawn at random" in found.message
    assert loud(units.unit_across(charter, surveys)) == loud(misaligned.misaligned_across(charter, surveys)) == []


cells = st.none() | st.floats() | st.sampled_from(["a", "1", "", "é"]) | st.integers(-(10**12), 10**12) | st.booleans()


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(st.floats() | st.none(), st.sampled_from(["x", "y", None]), cells.map(str)), max_size=30)
)
def test_no_table_breaks_the_checks(surveyed: Any, rows: list[Any]) -> None:
    frame = pd.DataFrame([*rows, (1.0, "x", "z")], columns=["num\U0001f4a5", 'a "b"', "c"])
    frame = frame.assign(id=range(len(frame)))
    charter, surveys = surveyed({"crm": frame, "web": frame.iloc[::-1]}, earlier={"crm": frame.iloc[:5]}, key="id")
    found = [one for each in surveys for look in (units.unit, misaligned.misaligned) for one in look(charter, each)]
    across = (units.unit_across, agreement.conflict, misaligned.misaligned_across, agreement.timezone_across)
    found += [one for look in across for one in look(charter, surveys)]
    assert all(isinstance(one, Finding | Skip) and one.source in ("crm", "web") for one in found)
