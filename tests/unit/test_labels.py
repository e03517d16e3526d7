"""Labels: wrong, disputed and immature outcomes are found; merely uncertain ones are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab2live.charter.schema import Charter
from lab2live.data import dataset
from lab2live.data.sources import tables
from lab2live.eda.checks import survey
from lab2live.eda.checks.findings import JOINED, Finding, Skip
from lab2live.eda.signal import agreed, labels, mislabelled
from lab2live.errors import UserError

Making = Callable[..., Charter]
ROWS = 3000


def world(kind: str = "binary", rows: int = ROWS, seed: int = 0, clear: float = 1.0) -> pd.DataFrame:
    """Draw cases whose outcome is uncertain, the less the clearer, and none of which is wrong."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "key": [f"C{number:06d}" for number in random.permutation(900_000)[:rows]],
            "debt": random.normal(size=rows),
            "calls": random.poisson(1.5, rows),
            "plan": random.choice(["basic", "plus"], rows),
            "noise": random.normal(size=rows),
        }
    )
    margin = 2.5 * frame["debt"] + 1.2 * frame["calls"] + 1.5 * (frame["plan"] == "basic") - 4
    margin *= clear
    if kind == "regression":
        return frame.assign(y=np.exp(0.4 * margin + random.normal(0, 0.3, rows)).round(3))
    if kind == "multiclass":
        return frame.assign(y=np.select([margin + random.logistic(size=rows) < c for c in (-3, 0)], ["a", "b"], "c"))
    return frame.assign(y=np.where(random.random(rows) < 1 / (1 + np.exp(-margin)), "yes", "no"))


def flipped(frame: pd.DataFrame, share: float, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Give some rows the outcome of another class, or of another row."""
    random = np.random.default_rng(seed)
    rows = np.flatnonzero(random.random(len(frame)) < share)
    y = frame["y"].to_numpy(dtype=object, copy=True)
    classes = np.unique(y)
    if len(classes) > 5:
        y[rows] = y[random.permutation(rows)]
    else:
        y[rows] = [random.choice(classes[classes != was]) for was in y[rows]]
    return frame.assign(y=pd.Series(y).infer_objects()), rows


def look(
    charter_of: Making, table: pd.DataFrame, kind: str = "binary", **prediction: Any
) -> tuple[list[Finding], list[Skip]]:
    problem = "regression" if kind == "regression" else "classification"
    charter = charter_of(prediction={"problem_type": problem, "id_column": "key", **prediction})
    found = labels.labels(charter, dataset.dataset(charter, table), table, [])
    skipped = [one for one in found if isinstance(one, Skip)]
    assert not [one for one in skipped if "could not be computed" in one.reason]
    return [one for one in found if isinstance(one, Finding)], skipped


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_uncertain_outcomes_are_not_wrong(charter_of: Making, kind: str) -> None:
    for seed in range(2):
        found, skipped = look(charter_of, world(kind, seed=seed), kind)
        assert not found
        assert [one.check for one in skipped] == ["label.agreement", "label.not_matured"]


def test_an_interaction_that_linear_models_miss_is_no_error(charter_of: Making) -> None:
    random = np.random.default_rng(0)
    frame = world(rows=8000)
    rare = (frame["plan"] == "basic") & (frame["noise"] > 1.5)
    frame["y"] = np.where(rare, np.where(random.random(8000) < 0.8, "yes", "no"), frame["y"])
    assert not look(charter_of, frame)[0]


@pytest.mark.parametrize("share", [0.05, 0.025])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_flipped_outcomes_are_found(charter_of: Making, kind: str, share: float) -> None:
    table, rows = flipped(world(kind, 4000, clear=2.0 if kind != "regression" else 1.0), share)
    found, _ = look(charter_of, table, kind)
    assert [(one.check, one.source, one.column, one.severity) for one in found] == [
        ("label.noise", JOINED, "y", "warn")
    ]
    assert found[0].threshold < found[0].value < 1.6 * share + 0.01
    assert set(found[0].examples) <= set(table["key"])
    if kind != "multiclass":
        assert len(set(found[0].examples) & set(table["key"].iloc[rows])) >= 2


def test_the_rows_to_review_hold_most_of_what_is_wrong(charter_of: Making) -> None:
    for kind in ("binary", "regression"):
        table, rows = flipped(world(kind), 0.05)
        problem = "regression" if kind == "regression" else "classification"
        charter = charter_of(prediction={"problem_type": problem, "id_column": "key"})
        listed, sentence = labels.review(charter, dataset.dataset(charter, table), table)
        wrong = set(table["key"].iloc[rows])
        assert list(listed)[:2] == ["key", "y"]
        assert 0 < len(listed) <= labels.MOST_ROWS
        assert f"{len(listed):,} least expected" in sentence
        assert listed["key"].head(30).isin(wrong).mean() > 0.8
        assert (listed.merge(table, on="key")["y_x"] == listed.merge(table, on="key")["y_y"]).all()


def test_without_an_identifier_the_row_of_the_file_is_listed(charter_of: Making, tmp_path: Path) -> None:
    table, _ = flipped(world("binary"), 0.05)
    table = table.drop(columns="key")
    table["y"] = table["y"].mask(np.arange(len(table)) % 7 == 0)  # rows of the file that are no cases
    table.to_csv(tmp_path / "orders.csv", index=False)
    charter = charter_of(tmp_path, sources=[{"name": "orders", "uri": "orders.csv"}])
    whole = tables.joined_table(charter, tables.read_all(charter))
    listed, sentence = labels.review(charter, dataset.dataset(charter, whole), whole)
    assert list(listed)[:2] == ["row", "y"] and len(listed) > 5
    lines = (tmp_path / "orders.csv").read_text().splitlines()[1:]
    place = list(table).index("y")
    assert [lines[row - 1].split(",")[place] for row in listed["row"]] == listed["y"].tolist()
    assert sentence.endswith("`row` is the row in orders: 1 is the first one below the header.")
    some = tables.joined_table(charter, tables.read_all(charter), 2_000)
    assert "they are not those of orders" in labels.review(charter, dataset.dataset(charter, some), some)[1]


def test_keys_that_several_cases_share_do_not_replace_the_row(charter_of: Making) -> None:
    table, _ = flipped(world("binary"), 0.05)
    charter = charter_of(prediction={"id_column": "key"})
    listed, _ = labels.review(charter, dataset.dataset(charter, table), table)
    assert "row" not in listed
    table["key"] = table["key"].where(np.arange(len(table)) > 0, table["key"].iloc[1])
    listed, _ = labels.review(charter, dataset.dataset(charter, table), table)
    assert list(listed)[:3] == ["row", "key", "y"]
    assert (table["key"].to_numpy()[listed["row"] - 1] == listed["key"]).all()


def test_too_few_cases_are_not_judged(charter_of: Making) -> None:
    _, skipped = look(charter_of, world(rows=120))
    assert "too few cases" in next(one.reason for one in skipped if one.check == "label.noise")
    charter = charter_of(prediction={"id_column": "key"})
    with pytest.raises(UserError, match="too few"):
        mislabelled.errors(charter, dataset.dataset(charter, world(rows=120)))


def test_too_few_cases_have_no_rows_to_review(charter_of: Making) -> None:
    table = world(rows=8).assign(y=["yes"] + 7 * ["no"])
    listed, sentence = labels.review(charter_of(), dataset.dataset(charter_of(), table), table)
    assert listed.empty and "too few cases" in sentence


def extracts(charter_of: Making, folder: Path, now: pd.DataFrame, before: pd.DataFrame, kind: str = "binary") -> Any:
    now.to_csv(folder / "now.csv", index=False)
    before.to_csv(folder / "before.csv", index=False)
    problem = "regression" if kind == "regression" else "classification"
    charter = charter_of(
        folder,
        prediction={"problem_type": problem, "id_column": "key"},
        sources=[{"name": "crm", "uri": "now.csv", "key": "key", "snapshot": "before.csv"}],
    )
    readings = tables.read_all(charter)
    table = tables.joined_table(charter, readings)
    surveyed: Any = survey.survey_all(charter, readings)
    surveys = surveyed[0] if isinstance(surveyed, tuple) else surveyed
    data = dataset.dataset(charter, table)
    return [one for one in labels.changed(charter, data, surveys[0]) if isinstance(one, Finding)], surveys


def test_outcomes_that_were_different_before_are_counted(charter_of: Making, tmp_path: Path) -> None:
    before = world(rows=1000)
    now, rows = flipped(before, 0.05)
    found, surveys = extracts(charter_of, tmp_path, now, before.iloc[:900])
    back = [row for row in rows if row < 900 and before["y"].iloc[row] == "yes"]
    assert [(one.check, one.source, one.column, one.severity) for one in found] == [("label.noise", "crm", "y", "warn")]
    assert found[0].rows == len(back)
    assert found[0].value == pytest.approx(len(back) / 900)
    assert found[0].examples[0] == f"{before['key'].iloc[back[0]]}: yes -> no"
    assert labels.home(charter_of(), surveys) == "crm"


def test_outcomes_that_came_true_since_are_a_remark_and_equal_ones_nothing(charter_of: Making, tmp_path: Path) -> None:
    now = world(rows=1000)
    before = now.assign(y=np.where(now.index % 7 == 0, "no", now["y"]))
    found, _ = extracts(charter_of, tmp_path, now, before)
    assert [one.severity for one in found] == ["info"]
    assert extracts(charter_of, tmp_path, now, now)[0] == []


def test_changed_numbers_are_found_and_the_same_ones_written_otherwise_are_not(
    charter_of: Making, tmp_path: Path
) -> None:
    before = world("regression", 500)
    now = before.assign(y=np.where(before.index < 20, before["y"] + 1, before["y"] + 1e-9))
    found, _ = extracts(charter_of, tmp_path, now, before, "regression")
    assert [(one.severity, one.rows) for one in found] == [("warn", 20)]


def labelled_by(people: dict[str, float], rows: int = 400, seed: int = 0) -> pd.DataFrame:
    """Let people label the outcome, each wrong in a share of the cases."""
    frame, random = world(rows=rows), np.random.default_rng(seed)
    for name, errors in people.items():
        other = np.where(frame["y"] == "yes", "no", "yes")
        frame[name] = np.where(random.random(rows) < errors, other, frame["y"])
    return frame


@pytest.mark.parametrize(("errors", "severity"), [((0.01, 0.01), "info"), ((0.08, 0.06), "warn"), ((0.2, 0.1), "fail")])
def test_annotators_are_judged_by_krippendorffs_limits(
    charter_of: Making, errors: tuple[float, float], severity: str
) -> None:
    table = labelled_by(dict(zip(("ann", "bob"), errors, strict=True)))
    found, _ = look(charter_of, table, annotators=["ann", "bob"])
    one = next(one for one in found if one.check == "label.agreement")
    assert (one.source, one.column, one.severity) == (JOINED, "y", severity)
    assert one.rows == (table["ann"] != table["bob"]).sum()
    assert "kappa" in one.message
    key = table["key"][table["ann"] != table["bob"]].iloc[0]
    assert one.examples[0].startswith(f"{key}: ")


def test_the_labeler_who_agrees_least_is_named(charter_of: Making) -> None:
    table = labelled_by({"ann": 0.02, "bob": 0.02, "cleo": 0.3})
    table.loc[table.index % 3 == 0, "ann"] = None
    found, _ = look(charter_of, table, annotators=["ann", "bob", "cleo"])
    one = next(one for one in found if one.check == "label.agreement")
    assert "cleo agrees least" in one.message
    assert "kappa" not in one.message


@pytest.mark.parametrize(
    ("names", "why"),
    [([], "names no annotators"), (["ann"], "takes two annotators"), (["ann", "gone"], "takes two annotators")],
)
def test_agreement_without_two_annotators_is_skipped(charter_of: Making, names: list[str], why: str) -> None:
    _, skipped = look(charter_of, labelled_by({"ann": 0.1}), annotators=names)
    assert why in next(one.reason for one in skipped if one.check == "label.agreement")


def test_alpha_and_kappa_are_those_of_the_textbooks() -> None:
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability", section C; Cohen's worked example by hand."""
    nan = np.nan
    rated = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
        ]
    ).T
    rated = rated[np.isfinite(rated).sum(axis=1) >= 2]
    assert agreed.krippendorff(rated, False, 0)[0] == pytest.approx(0.743, abs=5e-4)
    assert agreed.krippendorff(rated, True, 0)[0] == pytest.approx(0.849, abs=5e-4)
    first, second = np.repeat([1, 1, 0, 0], [20, 5, 10, 15]), np.repeat([1, 0, 1, 0], [20, 5, 10, 15])
    assert agreed.cohen(first, second) == pytest.approx(0.4)


def timed(rows: int = ROWS, kind: str = "binary", season: float = 0.15) -> pd.DataFrame:
    """Draw cases over two years, with a season and a growing number."""
    random = np.random.default_rng(3)
    days = np.sort(np.sqrt(random.random(rows)) * 730).astype(int)
    frame = world(kind, rows).assign(seen=pd.Timestamp("2024-01-01") + pd.to_timedelta(days, unit="D"))
    if kind == "binary":
        rate = 0.25 * (1 + season * np.sin(2 * np.pi * days / 365))
        frame["y"] = np.where(random.random(rows) < rate, "yes", "no")
    return frame


@pytest.mark.parametrize("lost", [1.0, 0.6])
@pytest.mark.parametrize("delay", [60.0, None])
def test_young_cases_whose_outcome_has_not_happened_yet_are_found(
    charter_of: Making, lost: float, delay: float | None
) -> None:
    table = timed()
    young = (table["seen"] > table["seen"].max() - pd.Timedelta(days=60)).to_numpy()
    gone = young & (table["y"] == "yes").to_numpy() & (np.random.default_rng(4).random(ROWS) < lost)
    table["y"] = np.where(gone, "no", table["y"])
    found, _ = look(charter_of, table, time_column="seen", **({"label_delay_days": delay} if delay else {}))
    one = next(one for one in found if one.check == "label.not_matured")
    assert (one.source, one.column, one.severity) == (JOINED, "y", "warn")
    if delay:
        assert one.rows == young.sum()
    assert "share of yes" in one.message


def test_numbers_that_still_grow_are_found(charter_of: Making) -> None:
    table = timed(kind="regression")
    young = table["seen"] > table["seen"].max() - pd.Timedelta(days=60)
    table["y"] = np.where(young, table["y"] * 0.4, table["y"])
    found, _ = look(charter_of, table, "regression", time_column="seen", label_delay_days=60)
    assert [one.severity for one in found if one.check == "label.not_matured"] == ["warn"]


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_mature_outcomes_with_a_season_are_a_remark_at_most(charter_of: Making, kind: str) -> None:
    table = timed(kind=kind, season=0.3)
    found, _ = look(charter_of, table, kind, time_column="seen", label_delay_days=30)
    assert [(one.check, one.severity) for one in found] == [("label.not_matured", "info")]
    assert not [one for one in look(charter_of, table, kind, time_column="seen")[0] if one.severity != "info"]


def test_without_a_time_column_nobody_knows_who_is_young(charter_of: Making) -> None:
    _, skipped = look(charter_of, world(rows=400), label_delay_days=30)
    assert "prediction.time_column" in next(one.reason for one in skipped if one.check == "label.not_matured")


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(allow_nan=True), st.text(max_size=3)),
            st.one_of(st.none(), st.dates(), st.sampled_from(["9999-12-31", "", "soon"])),
            st.sampled_from(["a", "b", None]),
        ),
        min_size=6,
        max_size=60,
    )
)
def test_hostile_tables_do_not_break_it(charter_of: Making, rows: list[tuple[Any, Any, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=["x 🌍", "when", "y"]).astype(object)
    if frame["y"].nunique() < 2:
        return
    frame["ann"], frame["bob"] = frame["y"], frame["x 🌍"]
    charter = charter_of(prediction={"time_column": "when", "annotators": ["ann", "bob"], "label_delay_days": 5})
    try:
        data = dataset.dataset(charter, frame)
    except UserError:
        return
    for one in labels.labels(charter, data, frame, []):
        assert not isinstance(one, Skip) or "could not be computed" not in one.reason, one


def test_a_rate_that_has_been_falling_for_long_is_no_immaturity(charter_of: Making) -> None:
    random = np.random.default_rng(5)
    table = timed(6000)
    days = (table["seen"] - table["seen"].min()).dt.days
    table["y"] = np.where(random.random(6000) < 0.5 - 0.45 * days / 730, "yes", "no")
    found, _ = look(charter_of, table, time_column="seen", label_delay_days=60)
    assert [one.severity for one in found if one.check == "label.not_matured"] == ["info"]
