"""What would flip it: held against models whose smallest change is known, and against trying everything."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lab2live import files
from lab2live.charter import gates
from lab2live.charter.schema import Charter
from lab2live.data import dataset, models
from lab2live.data.dataset import Dataset
from lab2live.data.feature_types import prepare
from lab2live.errors import UserError
from lab2live.explainability.flips import asking, telling_flips
from lab2live.explainability.flips import search as flips
from lab2live.explainability.flips.changes import Changes
from lab2live.explainability.flips.moves import Moves, Predict, Space
from lab2live.explainability.flips.search import Change, Flip, Flips
from lab2live.explainability.flips.space import space
from lab2live.explainability.sides import Sides, sides
from lab2live.pipeline import hooks
from lab2live.poc.worth.value import Policy

YES_NO = Sides("binary", ("no", "yes"), 0.5)
PLANS = ["basic", "family", "plus"]


def customers(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    bill = random.gamma(4.0, 15.0, rows).round(2)
    lines = random.integers(1, 5, rows)
    return pd.DataFrame(
        {
            "id": [f"c{number}" for number in range(rows)],
            "age": random.integers(18, 90, rows),
            "tenure": random.integers(0, 60, rows),
            "bill": bill,
            "lines": lines,
            "bill per line": bill / lines,
            "plan": random.choice(PLANS, rows),
            "paperless": random.random(rows) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
            "y": np.where(random.random(rows) < 0.5, "yes", "no"),
        }
    )


RULES = {
    "id_column": "id",
    "immutable": ["age"],
    "direction": {"tenure": "increase"},
    "derived": {"bill per line": "bill / lines"},
}


def risk(rows: pd.DataFrame) -> np.ndarray:
    """A model that everybody can follow, on the rows of the joined table."""
    bill = pd.to_numeric(rows["bill per line"]).fillna(20).to_numpy()
    margin = (bill - 25) / 10 - (rows["tenure"].fillna(0).to_numpy() - 20) / 15 + (rows["plan"] == "basic").to_numpy()
    return 1 / (1 + np.exp(-margin))


def built(
    charter_of: Any, predict: Predict = risk, by: Sides = YES_NO, frame: pd.DataFrame | None = None, **prediction: Any
) -> tuple[Space, pd.DataFrame]:
    charter = charter_of(prediction={**RULES, **prediction})
    frame = customers() if frame is None else frame
    data = hooks.dataset(charter, frame)
    rows = dataset.labelled(charter, frame)
    return space(charter, rows, data, np.arange(len(rows) * 3 // 4), predict, by), rows


def everything(known: Space, predict: Predict, case: dict[str, Any], depth: int) -> int | None:
    """Try all changes, and give the fewest columns that do."""
    changes = Changes.of(known, case)
    own = known.sides.code(predict(changes.apply(flips.NOTHING)[0]))[0]
    by_column = [
        [step for step in changes.free if known.steps.column[step] == place] for place in range(len(known.moves))
    ]
    for size in range(1, depth + 1):
        for chosen in itertools.combinations(by_column, size):
            steps = np.array(list(itertools.product(*chosen)), dtype=int).reshape(-1, size)
            rows, _ = changes.apply(steps)
            if len(rows) and (known.sides.code(predict(rows)) != own).any():
                return size
    return None


def test_every_answer_is_valid_keeps_the_rules_and_is_as_small_as_can_be(charter_of: Any) -> None:
    known, rows = built(charter_of)
    sizes = []
    for case in rows.iloc[300:360].to_dict("records"):
        found = flips.search(known, risk, case)
        fewest = everything(known, risk, case, 2)
        own = risk(pd.DataFrame([case]))[0] >= 0.5
        assert (found.answer >= 0.5) == own
        for flip in (found.smallest, found.typical):
            assert flip is not None
            after = pd.DataFrame([flip.row])
            assert after["bill per line"][0] == pytest.approx(after["bill"][0] / after["lines"][0])
            assert risk(after)[0] == flip.answer
            assert (flip.answer >= 0.5) != own
            assert flip.row["age"] == case["age"]
            assert flip.row["tenure"] >= case["tenure"]
            changed = {change.column for change in flip.changes}
            assert changed <= {"tenure", "bill", "lines", "plan", "paperless", "since"}
            assert changed == {name for name in changed if flip.row[name] != case[name]}
            kept = set(case) - changed - {"bill per line"}
            assert all(flip.row[name] == case[name] for name in kept)
            for change in flip.changes:
                assert change.after in set(rows[change.column])
            if changed & {"bill", "lines"}:
                low, high = rows.iloc[:300]["bill per line"].agg(["min", "max"])
                assert low <= flip.row["bill per line"] <= high
            assert fewest is None or len(flip.changes) <= fewest
        sizes.append(len(found.smallest.changes if found.smallest else ()))
    assert set(sizes) == {1, 2}


def test_the_smallest_change_is_the_smallest_move_and_the_typical_one_the_nearest_to_real_cases(
    charter_of: Any,
) -> None:
    known, rows = built(charter_of)
    for case in rows.iloc[300:320].to_dict("records"):
        changes = Changes.of(known, case)
        frame, steps = changes.apply(changes.free[:, None])
        own = risk(pd.DataFrame([case]))[0] >= 0.5
        works = (risk(frame) >= 0.5) != own
        if not works.any():
            continue
        found = flips.search(known, risk, case)
        assert found.smallest is not None and found.typical is not None
        assert found.smallest.move == pytest.approx(changes.size(steps[works]).min())
        # the distance once more, the long way
        others = known.references[(known.answers >= 0.5) != own]
        distances = []
        for row in frame[works].to_dict("records"):
            gap = np.zeros(len(others))
            for move in known.moves:
                if move.kind == "category":
                    gap += (others[move.column] != row[move.column]).to_numpy()
                else:
                    gap += np.abs(
                        move.scaled(move.read(list(others[move.column]))) - move.scaled(move.read([row[move.column]]))
                    )
            distances.append(np.sort(gap)[: flips.NEIGHBOURS].mean())
        best = frame[works].iloc[int(np.argmin(distances))]
        assert all(found.typical.row[move.column] == best[move.column] for move in known.moves)


def test_the_nearest_real_case_is_a_training_case_on_the_other_side(charter_of: Any) -> None:
    known, rows = built(charter_of)
    case = rows.iloc[350].to_dict()
    found = flips.search(known, risk, case)
    assert found.real is not None
    own = found.answer >= 0.5
    others = known.references[(known.answers >= 0.5) != own].reset_index(drop=True)
    gaps = sum(
        (others[m.column] != case[m.column]).to_numpy().astype(float)
        if m.kind == "category"
        else np.abs(m.scaled(m.read(list(others[m.column]))) - m.scaled(m.read([case[m.column]])))
        for m in known.moves
    )
    nearest = others.iloc[int(np.argmin(gaps))]
    assert all(nearest[name] == value for name, value in found.real.row.items())
    assert found.real.move == pytest.approx(float(np.min(gaps)))
    assert {one.column for one in found.real.changes} == {n for n in found.real.row if found.real.row[n] != case[n]}
    assert found.real.also == ("age",)
    assert "id" not in found.real.row
    assert known.references["id"].isna().all()  # what names a case does not travel with the model


def test_a_stale_answer_of_a_reference_is_asked_again(charter_of: Any) -> None:
    known, rows = built(charter_of)

    def always(rows: pd.DataFrame) -> np.ndarray:
        return np.full(len(rows), 0.9)

    found = flips.search(known, always, rows.iloc[350].to_dict())
    assert found.real is None and found.smallest is None


def test_the_space_travels_as_json_and_finds_the_same(charter_of: Any) -> None:
    known, rows = built(charter_of)
    again = Space.from_dict(json.loads(json.dumps(known.to_dict(), allow_nan=False)))
    for case in rows.iloc[300:310].to_dict("records"):
        sent = files.plain(case)  # as a service gets it
        one, other = flips.search(known, risk, case), flips.search(again, risk, sent)
        assert telling_flips.sentences(one, YES_NO) == telling_flips.sentences(other, YES_NO)
        json.dumps(files.plain(vars(other.smallest)["row"]), allow_nan=False)
    assert len(known.references) <= 500


@pytest.mark.parametrize("kind", ["linear", "boosting"])
@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_a_fitted_model_answers_as_ever_and_can_be_flipped(generate: Any, problem: str, kind: str) -> None:
    charter, data = generate(problem, 400, prediction={"decision_level": 12.0} if problem == "regression" else {})
    train = np.arange(300)
    model = models.fit(models.linear(data) if kind == "linear" else models.boosting(data, 0), data, train)
    predict = asking.predictor(partial(hooks.add_features, charter), data.columns, model)
    odd = data.raw.tail(3).assign(x1=[np.nan, 1e9, -1e9], colour=[None, "never seen", "red"])
    rows = pd.concat([data.raw, odd], ignore_index=True)
    expected = models.answer(model, prepare(rows, data.columns))
    assert np.allclose(predict(rows), expected, rtol=1e-12, atol=1e-15)
    if kind == "boosting":
        assert (predict(rows) == expected).all()
    by = sides(charter, data, Policy(data.problem))
    known = space(charter, data.raw, data, train, predict, by)
    found = telling_flips.search_all(known, predict, rows.iloc[360:])
    for one in found:
        assert one.smallest is not None
        after = predict(pd.DataFrame([one.smallest.row]))
        assert by.code(after)[0] != by.code(np.array([one.answer]))[0]
    evidence = telling_flips.found_share(known, found)
    share, says = evidence.value, evidence.message
    assert share == 1.0
    assert "43 of 43 held-back cases" in says
    told = telling_flips.sentences(found[0], by)
    assert told[0].startswith("The model's output would change from ")
    if problem == "regression":
        assert ", past 12, if " in told[0]


def test_more_than_two_classes_change_to_any_or_to_a_stated_one(charter_of: Any) -> None:
    def three(rows: pd.DataFrame) -> np.ndarray:
        scores = np.column_stack(
            [np.full(len(rows), 25.0), rows["bill"].to_numpy(), 2 * rows["tenure"].to_numpy() - 60]
        )
        return np.exp(scores / 20) / np.exp(scores / 20).sum(axis=1, keepdims=True)

    by = Sides("multiclass", ("calm", "angry", "loyal"))
    known, rows = built(charter_of, three, by)
    case = {**rows.iloc[310].to_dict(), "bill": 20.0, "tenure": 10}
    anywhere = flips.search(known, three, case)
    loyal = flips.search(known, three, case, toward="loyal")
    assert anywhere.smallest is not None and loyal.smallest is not None
    assert by.named(anywhere.answer) == "'calm'"
    assert [one.column for one in anywhere.smallest.changes] == ["bill"]
    assert [one.column for one in loyal.smallest.changes] == ["tenure"]
    assert by.named(loyal.smallest.answer) == "'loyal'"
    assert "already 'calm'" in flips.search(known, three, case, toward="calm").reason
    with pytest.raises(UserError, match="no such output"):
        flips.search(known, three, case, toward="loyl")


def test_costs_decide_between_more_than_two_classes() -> None:
    costs = ((0.0, 1.0, 1.0), (9.0, 0.0, 9.0), (1.0, 1.0, 0.0))
    by = Sides("multiclass", ("a", "b", "c"), costs=costs)
    answers = np.array([[0.6, 0.3, 0.1]])
    assert by.code(answers)[0] == Policy("multiclass", costs=costs).decide(answers)[0] == 1
    assert by.ahead(answers, 1)[0] < 0 < by.ahead(answers, 0, 1)[0]


@pytest.mark.parametrize("line", [np.inf, -np.inf, None])
def test_where_nothing_can_flip_it_says_so(charter_of: Any, line: float | None) -> None:
    by = Sides("binary", ("no", "yes"), line)
    known, rows = built(charter_of, by=by)
    known = Space.from_dict(json.loads(json.dumps(known.to_dict(), allow_nan=False)))
    found = flips.search(known, risk, rows.iloc[0].to_dict())
    assert found.smallest is None and "nothing to flip" in found.reason
    evidence = telling_flips.found_share(known, [found])
    share, says = evidence.value, evidence.message
    assert share is None and "nothing to flip" in says
    told = telling_flips.table([found], Sides("binary", ("no", "yes"), 0.5), ["1"])
    assert told[0]["smallest change"] == found.reason


def test_a_regression_without_a_level_has_nothing_to_flip(generate: Any) -> None:
    charter, data = generate("regression")
    assert "prediction.decision_level" in sides(charter, data, Policy("regression")).nothing


def test_an_honest_none_found(charter_of: Any) -> None:
    known, rows = built(charter_of, lambda rows: np.full(len(rows), 0.2))
    found = flips.search(known, lambda rows: np.full(len(rows), 0.2), rows.iloc[0].to_dict())
    assert found.smallest is found.typical is found.real is None
    assert found.reason.startswith("None found")
    assert found.tried > 500
    evidence = telling_flips.found_share(known, [found])
    share, says = evidence.value, evidence.message
    assert share == 0.0 and "0 of 1 held-back case " in says


def test_a_case_in_which_nothing_may_change(charter_of: Any) -> None:
    known, rows = built(charter_of, immutable=list(customers().columns.drop(["y", "id"])), derived={}, direction={})
    found = flips.search(known, risk, rows.iloc[0].to_dict())
    assert found.reason == "None found: no column may change."
    assert telling_flips.found_share(known, [found]).value is None
    assert found.real is not None and found.real.changes == ()
    assert "does not differ in anything that can change" in telling_flips.sentences(found, YES_NO)[1]


def test_what_is_derived_from_or_into_an_immutable_column_stays(charter_of: Any) -> None:
    known, _ = built(charter_of, immutable=["age", "bill per line"], sensitive=["plan"], time_column="since")
    assert {move.column for move in known.moves} == {"tenure", "paperless"}
    assert known.fixed["bill"] == "bill per line is computed from it, which cannot change"
    assert known.fixed["plan"] == "it is sensitive"
    assert known.fixed["since"] == "it is the time of the case"


def test_a_derived_column_may_have_a_direction_too(charter_of: Any) -> None:
    known, rows = built(charter_of, direction={"bill per line": "decrease"}, immutable=["tenure", "plan"])
    lower = 0
    for case in rows.iloc[300:380].to_dict("records"):
        found = flips.search(known, risk, case)
        for flip in (found.smallest, found.typical):
            if flip is not None:
                assert flip.row["bill per line"] < case["bill per line"]
                lower += 1
    assert lower > 20


def test_the_users_features_follow_and_what_they_must_not_change_stays(charter_of: Any, tmp_path: Path) -> None:
    package = tmp_path / "src" / "flipped_features"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "features.py").write_text(
        "def add_features(frame):\n"
        "    return frame.assign(loyalty=frame['tenure'] / 12, senior=(frame['age'] + frame['lines']) > 60,\n"
        "                        yearly=12 * frame['bill'])\n"
    )
    prediction = {
        **RULES,
        "immutable": ["age", "senior"],
        "derived": {"yearly": "12 * bill"},
        "direction": {"loyalty": "increase"},
    }
    charter = charter_of(tmp_path, prediction=prediction, project={"package": "flipped_features"})
    frame = customers().drop(columns="bill per line")
    frame["y"] = np.where(frame["tenure"] * 3 > frame["bill"], "no", "yes")
    data = hooks.dataset(charter, frame)
    rows = dataset.labelled(charter, frame)
    train = np.arange(300)
    model = models.fit(models.boosting(data, 0), data, train)
    predict = asking.predictor(partial(hooks.add_features, charter), data.columns, model)
    known = space(charter, rows, data, train, predict, YES_NO)
    # a direction of a feature says nothing about the direction of its sources: they stay
    assert {move.column for move in known.moves} == {"bill", "plan", "paperless", "since"}
    assert known.fixed["lines"] == "senior is computed from it, which cannot change"
    case = rows.iloc[310].to_dict()
    found = flips.search(known, predict, case)
    assert found.smallest is not None
    assert (
        models.answer(model, prepare(_featured(charter, found.smallest.row), data.columns))[0] == found.smallest.answer
    )


def _featured(charter: Charter, row: Any) -> pd.DataFrame:
    from lab2live.pipeline import hooks

    return hooks.add_features(charter, pd.DataFrame([row]))


@pytest.mark.parametrize("field", ["immutable", "direction", "derived"])
def test_a_slip_of_the_pen_does_not_set_a_column_free(charter_of: Any, field: str) -> None:
    wrong: Any = {"immutable": ["agee"], "direction": {"agee": "increase"}, "derived": {"agee": "2 * age"}}[field]
    with pytest.raises(UserError, match="did you mean `age`") as caught:
        built(charter_of, **{field: wrong})
    assert f"prediction.{field}" in str(caught.value)


def test_only_numbers_are_derived(charter_of: Any) -> None:
    with pytest.raises(UserError, match="Only a column of numbers"):
        built(charter_of, derived={"plan": "2 * bill"})


def test_values_are_real_ones_whole_numbers_stay_whole_and_nothing_changes_into_missing(charter_of: Any) -> None:
    frame = customers()
    frame.loc[::3, "bill"] = np.nan
    frame.loc[::4, "plan"] = None
    known, rows = built(charter_of, frame=frame)
    for move in known.moves:
        assert set(move.values) <= set(rows.iloc[:300][move.column].dropna())
        assert len(move.values) <= 12 and not any(pd.isna(value) for value in move.values)
    by_name = {move.column: move for move in known.moves}
    assert all(float(value).is_integer() for value in by_name["tenure"].values)
    assert by_name["plan"].values == tuple(PLANS)
    assert list(by_name["tenure"].ranks) == sorted(by_name["tenure"].ranks)
    # from missing to known is a change of the full size; with a direction nobody knows which one
    case = {**rows.iloc[300].to_dict(), "bill": np.nan, "bill per line": np.nan, "tenure": None, "plan": None}
    changes = Changes.of(known, case)
    free = {known.moves[known.steps.column[step]].column for step in changes.free}
    assert "tenure" not in free and {"bill", "plan"} <= free
    frame, steps = changes.apply(changes.free[:, None])
    assert frame.loc[steps[:, 0] >= 0, ["plan"]].notna().to_numpy().sum() == len(PLANS)
    bill = [step for step in changes.free if known.moves[known.steps.column[step]].column == "bill"]
    assert (changes.size(np.array(bill)[:, None]) == 1).all()


def test_a_fraction_among_whole_numbers_is_not_cut(charter_of: Any) -> None:
    known, rows = built(charter_of)
    for own in (20.5, "20.5", None, np.nan, True, 10**30):
        frame, _ = Changes.of(known, {**rows.iloc[0].to_dict(), "tenure": own}).apply(flips.NOTHING)
        expected = {"20.5": 20.5, None: np.nan, True: 1.0}.get(own, own)
        assert frame["tenure"].tolist() == pytest.approx([expected], nan_ok=True)


@pytest.mark.parametrize("rows", [20, 60])
def test_hostile_tables_break_nothing(charter_of: Any, rows: int) -> None:
    random = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "a b": random.normal(size=rows),
            'it\'s "q" `t`': random.choice(["x", "it's", "🙂"], rows),
            "🙂": pd.array(random.choice([1, 2, None], rows), dtype="Int64"),
            "constant": 1,
            "empty": None,
            "day": [f"{1 + number % 27:02d}.0{1 + number % 9}.2024" for number in range(rows)],
            "flag": pd.array(random.choice([True, False, None], rows), dtype="boolean"),
            "kind": pd.Categorical(random.choice(["u", "v"], rows)),
            "span": pd.to_timedelta(random.integers(0, 9, rows), unit="D"),
            "zone": pd.date_range("2024-01-01", periods=rows, tz="Europe/Berlin")[random.permutation(rows)],
            "inf": random.choice([1.0, np.inf, -np.inf, 2.0], rows),
            **{f"n{number}": random.normal(size=rows) for number in range(300 if rows == 20 else 3)},
        }
    )
    table["y"] = np.where(table["a b"] > 0, "yes", "no")
    charter = charter_of()
    data = hooks.dataset(charter, table)
    raw = dataset.labelled(charter, table)

    def predict(some: pd.DataFrame) -> np.ndarray:
        prepared = prepare(some, data.columns)
        return np.where(prepared["a b"] + (prepared["🙂"] > 1) > 0.5, 0.8, 0.2)

    known = space(charter, raw, data, np.arange(rows - 5), predict, YES_NO)
    known = Space.from_dict(json.loads(json.dumps(known.to_dict(), allow_nan=False)))
    assert sum(len(move.values) for move in known.moves) <= 1000
    for case in [
        *raw.tail(5).to_dict("records"),
        {},
        dict.fromkeys(raw),
        dict.fromkeys(raw, "?!"),
        dict.fromkeys(raw, 1e300),
    ]:
        found = flips.search(known, predict, case)
        assert telling_flips.sentences(found, YES_NO)
        assert telling_flips.table([found], YES_NO, ["case"])[0]["output now"] in ("'yes'", "'no'")
    assert flips.search(known, predict, raw.iloc[-1].to_dict()).smallest is not None


def test_days_keep_their_spelling_and_are_written_as_days(charter_of: Any) -> None:
    frame = customers()
    known, rows = built(charter_of, lambda rows: (rows["since"].dt.year > 2020) * 0.8, frame=frame)
    case = {**rows.iloc[300].to_dict(), "since": pd.Timestamp("2020-03-01")}
    found = flips.search(known, lambda rows: (rows["since"].dt.year > 2020) * 0.8, case)
    assert found.smallest is not None
    (change,) = found.smallest.changes
    assert change.column == "since" and change.after == min(v for v in _values(known, "since") if v.year > 2020)
    assert f"since were '{change.after.date()}'" not in telling_flips.sentences(found, YES_NO)[0]
    assert f"since were {change.after.date()} instead of 2020-03-01" in telling_flips.sentences(found, YES_NO)[0]


def _values(known: Space, column: str) -> tuple[Any, ...]:
    return next(move.values for move in known.moves if move.column == column)


def test_sentences_say_what_the_model_would_do() -> None:
    change = flips.Change("contract", "monthly", "one_year")
    one = flips.Flip((change,), 0.2, 1.0, {})
    two = flips.Flip((flips.Change("bill", np.nan, 41.25), flips.Change("paperless", True, False)), 0.3, 1.2, {})
    real = flips.Flip(tuple(flips.Change(f"c{number}", 1, 2) for number in range(5)), 0.1, 2.0, {}, ("age", "region"))
    told = telling_flips.sentences(flips.Flips(0.8, one, two, real, 9), YES_NO)
    assert (
        told[0]
        == "The model's output would change from 'yes' to 'no' if contract were 'one_year' instead of 'monthly'."
    )
    assert told[1].startswith(
        "The model's output would change from 'yes' to 'no' if bill were 41.25 instead of missing and paperless were "
        "no instead of yes. Of all changes"
    )
    assert told[2] == (
        "The nearest real case with another output, 'no', differs in c0 (2 instead of 1), c1 (2 instead of 1), "
        "c2 (2 instead of 1) and 2 more; it also differs in age and region, which cannot change."
    )
    assert not any("customer" in sentence for sentence in told)
    assert len(telling_flips.sentences(flips.Flips(0.8, one, one, None, 9), YES_NO)) == 1


def test_the_same_question_has_the_same_answer(charter_of: Any) -> None:
    found = []
    for _ in range(2):
        known, rows = built(charter_of)
        found.append((json.dumps(known.to_dict()), flips.search(known, risk, rows.iloc[333].to_dict())))
    assert found[0] == found[1]


def test_references_come_from_each_side_alike(charter_of: Any) -> None:
    known, _ = built(charter_of, lambda rows: (rows["lines"] == 4) * 0.9, frame=customers(3000))
    assert len(known.references) == 500
    assert (known.answers >= 0.5).mean() == 0.5


def test_a_model_that_does_not_learn_is_not_asked(
    charter_of: Any, generate: Callable[..., tuple[Charter, Dataset]]
) -> None:
    charter, data = generate("binary")
    with pytest.raises(UserError, match="nothing to flip"):
        asking.predictor(partial(hooks.add_features, charter), data.columns, None)


def test_missing_to_known_is_as_far_as_it_gets() -> None:
    move = Moves("n", "number", (1.0, 2.0, 9.0), (0.2, 0.5, 0.9))
    assert move.scaled(move.read([None, 0, 1.5, 99, "2"])).tolist() == pytest.approx(
        [np.nan, 0.2, 0.35, 0.9, 0.5], nan_ok=True
    )


def test_the_gate_passes_fails_and_skips() -> None:
    rule = next((rule for rule in gates.CATALOGUE.values() if rule.id == "explainability.counterfactuals"), None)
    if rule is None:
        pytest.skip("the gate is not in the catalogue yet")
    assert [gates.judge(rule.id, value, "").status for value in (1.0, 0.0, None)] == ["pass", "warn", "skip"]


def test_the_same_change_is_told_once_also_where_the_value_was_missing() -> None:
    flip = Flip((Change("bill", float("nan"), 3.0),), 0.9, 1.0, {"bill": 3.0})
    twin = Flip((Change("bill", float("nan"), 3.0),), 0.9, 1.0, {"bill": 3.0})
    other = Flip((Change("bill", float("nan"), 4.0),), 0.9, 1.0, {"bill": 4.0})
    decides = Sides("binary", ("no", "yes"), 0.5)
    titles = [title for title, *_ in telling_flips.options(Flips(0.1, flip, twin, None, 1), decides)]
    assert titles == ["Smallest change"]
    assert len(telling_flips.options(Flips(0.1, flip, other, other, 1), decides)) == 3


def test_an_average_that_reads_one_is_one_column() -> None:
    room: Any = SimpleNamespace(sides=SimpleNamespace(nothing=""), moves=(1,))
    for ones, said in ((99, "takes 1 column on average"), (2, "takes 1.3 columns on average")):
        found: Any = [SimpleNamespace(smallest=SimpleNamespace(changes=[0] * count)) for count in [1] * ones + [2]]
        assert said in telling_flips.found_share(room, found).message
