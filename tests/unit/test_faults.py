"""Every kind of fault can be planted, on the stated share of rows, and the truth says where."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.eda.checks.findings import CHECKS
from lab2live.errors import UserError
from lab2live.synthesis.faults import KINDS, STRENGTHS, plant, roles

ROWS = 400
SHARED = {"key": "id", "base": "base", "target": "y", "time_column": "at"}


@functools.cache  # planting must leave them as they are
def frames() -> dict[str, pd.DataFrame]:
    random = np.random.default_rng(5)
    at = pd.Timestamp("2026-01-01 09:00") + pd.to_timedelta(np.sort(random.uniform(0, 300, ROWS)), unit="D")
    ids = np.array([f"K{number:05d}" for number in random.permutation(99_999)[:ROWS]], dtype=object)
    region = random.choice(np.array(["Nord", "Süd", "Ost", "Köln"], dtype=object), ROWS)
    base = pd.DataFrame(
        {
            "id": ids,
            "at": at.floor("s"),
            "day": at.normalize(),
            "said": at.strftime("%d/%m/%Y"),
            "region": region,
            "plan": random.choice(np.array(["A", "B", "C"], dtype=object), ROWS),
            "code": np.array([str(number).zfill(5) for number in random.integers(1, 99_999, ROWS)], dtype=object),
            "money": random.lognormal(4, 0.6, ROWS).round(2),
            "twin": np.arange(ROWS) * 1.5,
            "count": random.poisson(3, ROWS),
            "y": np.where(random.random(ROWS) < 0.3, "yes", "no"),
        }
    )
    return {"base": base, "other": pd.DataFrame({"id": ids, "region": region, "fee": base["money"] * 2})}


PLACES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "critical_nulls": ("base", "plan", {}),
    "sentinel_number": ("base", "money", {}),
    "sentinel_date": ("base", "day", {}),
    "token": ("base", "plan", {"value": "?"}),
    "blanks": ("base", "plan", {}),
    "outliers": ("base", "money", {}),
    "mixed_up_rows": ("base", "twin", {"partners": ["money"]}),
    "level_shift": ("base", "money", {"date_column": "at"}),
    "constant": ("base", "plan", {}),
    "near_constant": ("base", "count", {}),
    "impossible": ("base", "money", {}),
    "entity_missing": ("base", "region", {}),
    "entity_lost": ("base", "region", {}),
    "band_missing": ("base", "money", {}),
    "combination_missing": ("base", "plan", {"other": "region"}),
    "time_gap": ("base", "at", {}),
    "orphan_keys": ("other", "id", {}),
    "spelt_keys": ("base", "id", {}),
    "repeated_keys": ("base", "id", {}),
    "copied_rows": ("base", "id", {}),
    "fan_out": ("other", "id", {}),
    "conflict": ("other", "region", SHARED),
    "unit_part": ("base", "money", {}),
    "unit_all": ("base", "money", {}),
    "spelling": ("base", "region", {}),
    "mojibake": ("base", "region", {}),
    "swapped_dates": ("base", "day", {}),
    "swapped_texts": ("base", "said", {}),
    "timezone": ("base", "at", {"hours": 3}),
    "decimal_comma": ("base", "money", {}),
    "leading_zeros": ("base", "code", {}),
    "words": ("base", "money", {}),
    "renamed": ("base", "plan", {"new": "tariff"}),
    "dropped": ("base", "plan", {}),
    "truncated": ("base", "id", {}),
    "late": ("base", "at", {}),
    "stale": ("base", "at", {}),
    "misaligned": ("other", "fee", {}),
    "leaking_feature": ("other", "score", SHARED),
    "leaking_identifier": ("base", "id", SHARED),
    "leaking_date": ("base", "closed", SHARED),
    "label_flips": ("base", "y", {}),
    "label_disagreement": ("base", "y", {**SHARED, "annotators": ["one", "two"]}),
    "label_immature": ("base", "y", {**SHARED, "delay": 20}),
}
# Kinds in which the rows that are there decide how many can be touched.
SHARE_OF_ROWS_DIFFERS = {
    "entity_missing", "entity_lost", "band_missing", "combination_missing", "time_gap", "late", "fan_out",
    "leaking_feature", "leaking_date", "near_constant", "label_disagreement", "mojibake",
}  # fmt: skip


def planted(kind: str, strength: str = "full", seed: int = 0) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    source, column, more = PLACES[kind]
    return plant(frames(), kind, source, column, KINDS[kind].share(strength), seed, **more)


def test_every_kind_has_a_place_here_and_a_check_that_exists() -> None:
    assert set(PLACES) == set(KINDS)
    assert len(KINDS) >= 35
    assert {check for kind in KINDS.values() for check in kind.checks} == set(CHECKS)


@pytest.mark.parametrize("kind", KINDS)
def test_it_changes_its_source_and_says_where(kind: str) -> None:
    clean, (dirty, truth) = frames(), planted(kind)
    source = PLACES[kind][0]
    assert not dirty[source].equals(clean[source])
    assert truth["kind"] == kind
    assert truth["source"] == source
    assert [source, truth["column"]] in truth["places"]
    assert truth["rows"] > 0
    if kind not in SHARE_OF_ROWS_DIFFERS:
        assert truth["rows"] == pytest.approx(KINDS[kind].full * ROWS, abs=2)
    if kind != "leaking_identifier":  # keys stay keys in all sources
        for name in clean.keys() - {source}:
            pd.testing.assert_frame_equal(dirty[name], clean[name])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "label_immature"])  # it keeps the order of time
def test_only_the_rows_it_names_are_touched(kind: str) -> None:
    clean, (dirty, truth) = frames(), planted(kind)
    source, column = PLACES[kind][:2]
    before, after = clean[source], dirty[source]
    if column not in before or column not in after or len(after) != len(before):
        return
    changed = np.flatnonzero(after[column].astype(str).to_numpy() != before[column].astype(str).to_numpy())
    assert set(changed) <= set(truth["positions"])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind].graded and kind not in SHARE_OF_ROWS_DIFFERS])
def test_half_strength_touches_half_the_rows(kind: str) -> None:
    assert planted(kind, "half")[1]["rows"] == pytest.approx(planted(kind)[1]["rows"] / 2, abs=2)
    assert STRENGTHS["half"] == 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_plants_the_same(kind: str) -> None:
    (one, truth), (two, again) = planted(kind, seed=3), planted(kind, seed=3)
    assert truth == again
    for name in one:
        pd.testing.assert_frame_equal(one[name], two[name])


def test_what_is_planted_is_what_was_promised() -> None:
    def values(kind: str) -> pd.Series:
        dirty, truth = planted(kind)
        return dirty[truth["source"]][truth["column"]].iloc[truth["positions"]]

    assert values("critical_nulls").isna().all()
    assert (values("sentinel_number") == -999).all()
    assert (values("sentinel_date") == pd.Timestamp("1900-01-01")).all()
    assert (values("token") == "?").all()
    assert (values("blanks").str.strip() == "").all()
    assert (values("impossible") < 0).all()
    assert values("decimal_comma").str.fullmatch(r"\d+,\d+").all()
    assert not values("leading_zeros").str.startswith("0").any()
    assert values("mojibake").str.contains("Ã").all()
    assert not values("spelling").isin(["Nord", "Süd", "Ost", "Köln"]).any()
    assert not values("orphan_keys").isin(frames()["base"]["id"]).any()
    assert values("repeated_keys").isin(frames()["base"]["id"]).all()
    normal = values("spelt_keys").str.strip().str.upper()
    assert normal.isin(frames()["base"]["id"]).all() and not values("spelt_keys").isin(frames()["base"]["id"]).any()


def test_swapped_dates_are_the_same_numbers_in_another_order() -> None:
    dirty, truth = planted("swapped_dates")
    rows = truth["positions"]
    was, now = frames()["base"]["day"].iloc[rows], dirty["base"]["day"].iloc[rows]
    assert (was.dt.day == now.dt.month).all() and (was.dt.month == now.dt.day).all()


def test_a_missing_entity_is_gone_in_every_row_and_all_others_stay() -> None:
    clean, dirty = frames()["base"]["region"], planted("entity_missing")[0]["base"]["region"]
    gone = set(clean) - set(dirty)
    assert len(gone) == 1
    assert len(dirty) == len(clean) - (clean == gone.pop()).sum()


def test_a_leak_follows_the_outcome_and_flips_change_it() -> None:
    dirty, _ = planted("leaking_feature")
    joined = dirty["other"].merge(dirty["base"][["id", "y"]], on="id")
    means = joined.groupby("y")["score"].mean()
    assert means["yes"] > means["no"] + 40
    dirty, truth = planted("label_flips")
    assert (dirty["base"]["y"] != frames()["base"]["y"]).sum() == truth["rows"]


def test_keys_in_the_order_of_the_outcome_still_join() -> None:
    dirty, _ = planted("leaking_identifier")
    assert list(dirty["base"]["id"]) == list(dirty["other"]["id"])
    ordered = dirty["base"].sort_values("id")["y"].tolist()
    assert ordered == sorted(ordered)


def test_immature_cases_are_the_newest_and_lie_within_the_delay() -> None:
    dirty, truth = planted("label_immature")
    base, rows = dirty["base"], truth["positions"]
    until = frames()["base"]["at"].max() + pd.Timedelta(days=20)
    assert (base["at"].iloc[rows] > until.normalize() - pd.Timedelta(days=21)).all()
    assert base["at"].is_monotonic_increasing
    assert (base["y"].iloc[rows] == "yes").mean() < (base["y"].drop(index=rows) == "yes").mean()


@pytest.mark.parametrize(
    ("kind", "source", "column", "share", "what"),
    [
        ("no_such_kind", "base", "plan", 0.1, "no such kind"),
        ("token", "nowhere", "plan", 0.1, "no such source"),
        ("token", "base", "nothing", 0.1, "no such column"),
        ("token", "base", "money", 0.1, "does not fit"),
        ("outliers", "base", "plan", 0.1, "does not fit"),
        ("timezone", "base", "day", 0.1, "does not fit"),
        ("mojibake", "base", "plan", 0.1, "does not fit"),
        ("leaking_feature", "base", "money", 0.1, "adds a column"),
        ("level_shift", "base", "money", 0.1, "does not fit"),
        ("token", "base", "plan", 0.0, "share of rows"),
        ("token", "base", "plan", 1.5, "share of rows"),
    ],
)
def test_what_does_not_fit_is_said(kind: str, source: str, column: str, share: float, what: str) -> None:
    with pytest.raises(UserError, match=what):
        plant(frames(), kind, source, column, share)


def test_the_extra_arguments_of_a_charter_may_not_fit_either() -> None:
    for kind, source, column, more, what in [
        ("orphan_keys", "base", "day", {}, "neither texts nor numbers"),
        ("label_immature", "other", "region", {"time_column": "at", "delay": 30}, "no column at"),
        ("level_shift", "other", "fee", {"date_column": "at"}, "no column at"),
    ]:
        with pytest.raises(UserError) as caught:
            plant(frames(), kind, source, column, 0.1, **more)
        assert what in caught.value.details["found"]


def test_a_combination_finds_its_other_column_by_itself() -> None:
    made, truth = plant(frames(), "combination_missing", "base", "region", 0.1)
    assert ["base", "plan"] in truth["places"]
    left = made["base"].groupby(["region", "plan"]).size()
    assert len(left) == len(frames()["base"].groupby(["region", "plan"]).size()) - 1


def test_roles() -> None:
    base = frames()["base"]
    assert roles(base["money"]) == {"number"}
    assert roles(base["plan"]) == {"text"}
    assert roles(base["at"]) == {"date", "moment"}
    assert roles(base["day"]) == {"date"}
    assert roles(base["day"].dt.strftime("%Y-%m-%d")) == {"text", "date"}
    assert roles(base["said"]) == {"text"}


@pytest.mark.parametrize("kind", ["sentinel_date", "swapped_dates", "late", "time_gap", "stale"])
def test_dates_kept_as_text_stay_text(kind: str) -> None:
    base = frames()["base"].assign(day=lambda frame: frame["day"].dt.strftime("%Y-%m-%d"))
    dirty, _ = plant({"base": base}, kind, "base", "day", 0.3)
    assert dirty["base"]["day"].str.fullmatch(r"\d{4}-\d{2}-\d{2}").all()


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(KINDS)), share=st.floats(0.001, 1.0), rows=st.integers(1, 30), seed=st.integers(0, 9)
)
def test_small_tables_are_planted_in_or_refused(kind: str, share: float, rows: int, seed: int) -> None:
    source, column, more = PLACES[kind]
    few = {name: frame.head(rows) for name, frame in frames().items()}
    try:
        dirty, truth = plant(few, kind, source, column, share, seed, **more)
    except UserError:
        return
    assert set(dirty) == set(few)
    assert truth["rows"] >= 0
