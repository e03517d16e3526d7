"""The charter: found where it lies, read as people mean it, and a mistake in it explained instead of thrown."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab2live.charter import loading
from lab2live.charter.schema import Charter, Source, nearest
from lab2live.charter.yaml import read_yaml, write_yaml
from lab2live.errors import UserError
from lab2live.poc import feasibility

MINIMAL = """\
prediction: {problem_type: classification, target: left}
sources: [{name: crm, uri: crm.csv}]
"""
TWO_SOURCES = """\
prediction: {problem_type: classification, target: left}
sources:
  - {name: crm, uri: crm.csv}
  - {name: bills, uri: bills.csv}
"""


def write(folder: Path, text: str = MINIMAL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "project.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Charter:
    return loading.read(write(folder, text))


def complaint(folder: Path, text: str) -> UserError:
    with pytest.raises(UserError) as caught:
        read(folder, text)
    return caught.value


@pytest.fixture(autouse=True)
def _nobody_said_which_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("LAB2LIVE_PROJECT", raising=False)
    monkeypatch.delenv("LAB2LIVE_SOURCES", raising=False)
    monkeypatch.chdir(tmp_path)


# finding it


def test_a_folder_or_its_file_names_the_project(tmp_path: Path) -> None:
    path = write(tmp_path / "mine")
    assert loading.find(tmp_path / "mine").folder == tmp_path / "mine"
    assert loading.find(str(path)).file == path


def test_the_environment_variable_names_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "here")
    write(tmp_path / "there")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("LAB2LIVE_PROJECT", str(tmp_path / "there"))
    assert loading.find().folder == tmp_path / "there"
    assert loading.find(tmp_path / "here").folder == tmp_path / "here", "what is asked for by name comes first"


def test_an_empty_environment_variable_names_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setenv("LAB2LIVE_PROJECT", "")
    assert loading.find().folder == tmp_path


def test_the_nearest_charter_above_the_working_directory_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    write(tmp_path / "inner")
    deep = tmp_path / "inner" / "notebooks" / "deeper"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert loading.find().folder == tmp_path / "inner"


def installed_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that the package runs from a checkout's own `src`."""
    package = project / "src" / "lab2live"
    shutil.copytree(loading.DEMO_CHARTER.parent, package / "demo")
    monkeypatch.setattr(loading, "PACKAGE_FOLDER", package)
    monkeypatch.setattr(loading, "DEMO_CHARTER", package / "demo" / "project.yaml")


def test_inside_the_templates_own_checkout_the_demo_is_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "template").mkdir(parents=True)
    (checkout / "template" / "cookiecutter.json").touch()
    installed_in(checkout, monkeypatch)
    monkeypatch.chdir(checkout / "template")
    found = loading.find()
    assert found.is_demo
    assert found.folder == checkout


def test_the_demos_own_charter_is_never_the_nearest_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "baked")
    installed_in(tmp_path / "baked", monkeypatch)
    monkeypatch.chdir(loading.DEMO_CHARTER.parent)
    assert not loading.find().is_demo


def test_the_notebooks_folder_names_the_project_where_its_kernel_works_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "mine")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("JPY_SESSION_NAME", str(tmp_path / "mine" / "notebooks" / "01_eda.ipynb"))
    assert loading.find().folder == tmp_path / "mine"


def test_a_project_above_the_installed_package_is_not_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "mine")
    installed_in(tmp_path / "mine" / ".venv", monkeypatch)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(UserError, match=r"No project\.yaml was found"):
        loading.find()


def test_demo_means_the_demo_even_inside_another_project(tmp_path: Path) -> None:
    write(tmp_path)
    found = loading.find("demo")
    assert found.is_demo
    assert found.folder == tmp_path, "its runs go to where the user stands"
    assert found.file == loading.DEMO_CHARTER


def test_without_any_charter_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site-packages" / "lab2live").mkdir(parents=True)
    monkeypatch.setattr(loading, "PACKAGE_FOLDER", tmp_path / "site-packages" / "lab2live")
    with pytest.raises(UserError, match=r"No project\.yaml was found") as caught:
        loading.find()
    assert "LAB2LIVE_PROJECT" in caught.value.details["fix"]
    assert str(tmp_path) in caught.value.details["where"]


@pytest.mark.parametrize("named", ["missing", "missing/project.yaml", "a_file", "nul\0l"])
def test_a_project_that_is_not_there_is_a_message(tmp_path: Path, named: str) -> None:
    (tmp_path / "a_file").touch()
    with pytest.raises(UserError) as caught:
        loading.find(named)
    assert caught.value.details["where"]
    assert caught.value.details["fix"]


# reading it


def test_only_true_and_false_are_truth_values(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        prediction: {problem_type: classification, target: on, positive_class: yes}
        sources:
          - {name: no, uri: a.csv, personal_data: true, expected: {answer: [yes, no, True, off]}}
          - {name: y, uri: b.csv}
        join: {base: no, on: id}
        """,
    )
    assert found.prediction.target == "on"
    assert found.prediction.positive_class == "yes"
    assert found.sources[0].expected == {"answer": ["yes", "no", True, "off"]}
    assert found.sources[0].personal_data is True
    assert found.join_keys == ["id"]


@pytest.mark.parametrize(
    ("written", "meant"), [("1", 1), ("1.5", 1.5), ("true", True), ("'1'", "1"), ("2024-01", "2024-01")]
)
def test_a_class_keeps_the_type_it_is_written_in(tmp_path: Path, written: str, meant: object) -> None:
    text = MINIMAL.replace("target: left", f"target: left, positive_class: {written}")
    found = read(tmp_path, text).prediction.positive_class
    assert (type(found), found) == (type(meant), meant)


def test_a_commented_out_block_is_a_block_that_is_not_there(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        MINIMAL
        + """
business:
  value:
    # currency: EUR
  customer_experience:
  return_on_investment: ""
team:
  data_analyst:
fallback:
  drift:          # rule
  time_out: rule
gates:
  eda.sources:
join:
""",
    )
    assert found == read(tmp_path / "short", MINIMAL + "fallback: {time_out: rule}").model_copy(
        update={"folder": found.folder, "file": found.file}
    )


def test_a_small_number_is_a_number(tmp_path: Path) -> None:
    text = MINIMAL.replace("uri: crm.csv", "uri: crm.csv, expected: {a: [1e-6, -2.5E+3, 1e, e1, 12]}")
    assert read(tmp_path, text).sources[0].expected == {"a": [1e-6, -2500.0, "1e", "e1", 12]}


@pytest.mark.parametrize("zeros", ["0", "00"])
@pytest.mark.parametrize("sign", ["", "+"])
@given(number=st.integers(1, 10**9))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_number_that_begins_with_zeros_is_decimal_where_a_number_is_asked_for(
    tmp_path: Path, sign: str, zeros: str, number: int
) -> None:
    text = MINIMAL + f"business: {{value: {{horizon_months: {sign}{zeros}{number}, cases_per_month: 02000}}}}\n"
    text = text.replace("target: left", f"target: left, max_training_rows: {sign}{zeros}{number}")
    found = read(tmp_path, text)
    assert found.business.value.horizon_months == found.prediction.max_training_rows == number
    assert found.business.value.cases_per_month == 2000


def test_a_code_that_begins_with_a_zero_stays_as_it_is_written(tmp_path: Path) -> None:
    text = "uri: crm.csv, expected: {code: [010, 020, 10, 12:30, 007.5]}, columns: {code: {values: {01: 0.5, 1: 0.5}}}"
    found = read(tmp_path, MINIMAL.replace("uri: crm.csv", text)).sources[0]
    assert found.expected == {"code": ["010", "020", 10, "12:30", "007.5"]}
    assert found.columns["code"].values == {"01": 0.5, 1: 0.5}
    positive = read(tmp_path, MINIMAL.replace("target: left", "target: left, positive_class: 010"))
    assert positive.prediction.positive_class == "010"


# control characters aside, of which YAML allows few
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.dates() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


@given(VALUES, st.booleans())
@example(["012", "1_0", "yes", "12:30", "2024-01-01", "1e5", "~", "", " a", "\u2028", "a\n\nb", "\ufeff"], True)
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_again(data: Any, leaves_in_line: bool) -> None:
    assert read_yaml(write_yaml(data, leaves_in_line=leaves_in_line)) == data


def test_the_new_fields_are_read(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        business:
          process_improvement: {unit: calls, driven_by: contacts}
          return_on_investment: {unit: EUR, driven_by: recall}
          value: {review: {cost_per_case: 6, accuracy: 0.9, capacity_per_month: 100}}
        prediction: {problem_type: classification, target: left, annotators: [ann, bob], max_training_rows: 100}
        sources: [{name: crm, uri: crm.csv, access: public, reading: {delimiter: ";"}}]
        team: {mlops_engineer: {who: Lucia, contact: "+49 30 1", signs_off: true}}
        deployment: {trusted_types: [my.Model]}
        fallback: {low_confidence: {to: review, when: 0.9}, drift: rule, time_out: {to: baseline}}
        gates: {own.contacts: {warn: 1}, eda.missing_critical: {warn: 0.2}, eda.target: {fail: 200}}
        accepted: [{check: missing.critical, source: crm, column: age, why: known, by: Ada, until: 2027-01-31}]
        notebooks: [{file: notebooks/06_own_analysis.ipynb, needs: [poc]}]
        """,
    )
    assert found.business.process_improvement.driven_by == "contacts_per_month"
    assert found.business.value.review.accuracy == 0.9
    assert found.prediction.annotators == ["ann", "bob"]
    assert (found.sources[0].is_real, found.sources[0].reading.delimiter) == (True, ";")
    assert found.team["mlops_engineer"].contact == "+49 30 1"
    assert found.fallback["low_confidence"].when == 0.9
    assert found.answerers == {"low_confidence": "review", "drift": "rule", "time_out": "baseline"}
    assert (found.accepted[0].by, found.accepted[0].until) == ("Ada", dt.date(2027, 1, 31))
    assert found.notebooks[0].needs == ["poc"]


def test_a_bare_word_for_low_confidence_leaves_its_level_to_what_pays(tmp_path: Path) -> None:
    found = read(tmp_path, MINIMAL + "fallback: {low_confidence: review}").fallback["low_confidence"]
    assert (found.to, found.when) == ("review", "auto")


@pytest.mark.parametrize(
    ("unit", "hoped"),
    [
        *[(unit, 24.0) for unit in ("EUR", "eur per month", "EUR/month", "EUR a month")],
        *[(unit, None) for unit in ("share", "EUR per year", "EUR of turnover", "kEUR", None)],
    ],
)
def test_a_return_is_money_only_in_the_currency_a_month(tmp_path: Path, unit: str | None, hoped: float | None) -> None:
    answer = f"{{current: 21, target: 45, unit: {unit or ''}}}"
    found = read(tmp_path, MINIMAL + f"business: {{return_on_investment: {answer}}}")
    assert feasibility.hoped_per_month(found.business) == hoped


def test_an_answer_may_be_one_plain_sentence(tmp_path: Path) -> None:
    found = read(tmp_path, MINIMAL + "business: {customer_experience: They wait less.}").business.customer_experience
    assert (found.answer, found.measure) == ("They wait less.", None)


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "project.yaml"
    path.write_text(MINIMAL, encoding="utf-8-sig")
    assert loading.read(path).prediction.target == "left"


def test_demo_and_stand_ins_are_told_apart_from_the_real_thing(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        prediction: {problem_type: regression, target: cost}
        join: {base: real, on: [id, month]}
        sources:
          - {name: real, uri: a.csv}
          - {name: waiting, uri: b.csv, stand_in: b0.csv, access: requested}
          - {name: nowhere, stand_in: c0.csv}
          - {name: invented, uri: d.csv, access: simulated}
          - {name: granted, uri: e.csv, stand_in: e0.csv}
        """,
    )
    assert [source.address for source in found.sources] == ["a.csv", "b0.csv", "c0.csv", "d.csv", "e.csv"]
    assert found.stand_ins == ["waiting", "nowhere", "invented"]
    assert not found.is_demo
    assert loading.find("demo").is_demo
    assert loading.find("demo").stand_ins == []
    assert found.base.name == "real"
    assert found.join_keys == ["id", "month"]


ELSEWHERE = """\
prediction: {problem_type: regression, target: cost, id_column: id}
join: {base: ours, on: id}
sources:
  - {name: ours, uri: "postgresql://host/sales", table: cases, columns: {age: {type: number}}, snapshot: earlier.csv,
     expected: {region: [north, south], city: cities.csv}}
  - {name: waiting, uri: b.csv, stand_in: b0.csv, access: requested, aggregate: {calls: count(*)}, key: id}
  - {name: bought, uri: "public://doctor-visits"}
simulate: {rows: 50, sample: {ours: some-real-rows.csv}}
"""


def test_where_the_data_cannot_be_reached_sources_are_drawn_from_their_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, ELSEWHERE)
    assert loading.find().sources[0].address == "postgresql://host/sales"
    monkeypatch.setenv("LAB2LIVE_SOURCES", "simulated")
    found = loading.find()
    assert [source.address for source in found.sources] == ["simulated://", "simulated://", "public://doctor-visits"]
    assert found.stand_ins == ["ours", "waiting", "bought"]
    ours = found.sources[0]
    assert (ours.table, ours.snapshot, ours.access) == (None, None, "simulated")
    assert ours.expected == {"region": ["north", "south"]}
    assert (found.simulate.sample, found.simulate.rows) == ({}, 50)


def test_the_demo_is_the_demo_wherever_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB2LIVE_SOURCES", "simulated")
    shutil.copy(loading.DEMO_CHARTER, tmp_path)
    assert loading.find().is_demo
    assert loading.find().stand_ins == []


def test_a_source_that_nobody_describes_cannot_be_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setenv("LAB2LIVE_SOURCES", "simulated")
    with pytest.raises(UserError, match=r"does not say which columns source `crm` has"):
        loading.find()


def test_sources_are_what_they_are_or_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    monkeypatch.setenv("LAB2LIVE_SOURCES", "")
    assert loading.find().sources[0].address == "crm.csv"
    monkeypatch.setenv("LAB2LIVE_SOURCES", "simulatd")
    with pytest.raises(UserError, match="LAB2LIVE_SOURCES") as caught:
        loading.find()
    assert caught.value.details["found"] == "simulatd"


def test_addresses_resolve_against_the_charters_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(tmp_path, MINIMAL)
    monkeypatch.setenv("LAB2LIVE_TEST_SECRET", "s3cret")
    assert found.locate("data/crm.csv") == tmp_path / "data" / "crm.csv"
    assert found.locate("/data/crm.csv") == Path("/data/crm.csv")
    assert found.locate("file:///data/crm.csv") == Path("/data/crm.csv")
    assert found.locate("file:///my%20data/crm.csv") == Path("/my data/crm.csv")
    assert found.locate("https://host/crm.csv") == "https://host/crm.csv"
    assert found.locate("postgres://me:${LAB2LIVE_TEST_SECRET}@host/db") == "postgres://me:s3cret@host/db"
    assert found.locate("$HOME/${LAB2LIVE_TEST_SECRET}.csv") == tmp_path / "$HOME" / "s3cret.csv"


def test_an_unset_environment_variable_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB2LIVE_TEST_SECRET", raising=False)
    with pytest.raises(UserError, match="LAB2LIVE_TEST_SECRET"):
        read(tmp_path, MINIMAL).locate("postgres://me:${LAB2LIVE_TEST_SECRET}@host/db")


# what is wrong with it

WRONG = {
    "malformed": ("prediction: {problem_type: [\n", "line 2", "not valid YAML"),
    "a tab": ("prediction:\n\ttarget: x\n", "line 2", "not valid YAML"),
    "a missing colon": ("prediction:\n  target churned\nsources: []\n", "field `prediction`", "name: value"),
    "an impossible date": (MINIMAL + "feasibility: {deadline: 2026-13-45}\n", "line 3, column 25", "month must be"),
    "an impossible day": (
        MINIMAL + "feasibility: {deadline: 2027-02-29}\n",
        "line 3, column 25",
        "day is out of range",
    ),
    "no date": (MINIMAL + "feasibility: {deadline: soon}\n", "feasibility.deadline", "date"),
    "a wrong type": (MINIMAL + "business: {value: {build_cost: plenty}}\n", "business.value.build_cost", "number"),
    "a negative cost": (MINIMAL + "business: {value: {build_cost: -1}}\n", "business.value.build_cost", "greater"),
    "not a number": (MINIMAL + "business: {value: {build_cost: .nan}}\n", "business.value.build_cost", "a number"),
    "a text for a block": (MINIMAL + "deployment: cloud\n", "field `deployment`", "name: value"),
    "a block for a list": (MINIMAL + "feasibility: {skills: {sql: yes}}\n", "feasibility.skills", "a list"),
    "a number for a name": (MINIMAL.replace("target: left", "target: 2024"), "prediction.target", '"quotes"'),
    "a choice nobody offers": (
        MINIMAL.replace("classification", "clustering"),
        "prediction.problem_type",
        "regression",
    ),
    "an unknown trigger": (MINIMAL + "fallback: {drifting: rule}\n", "fallback.drifting", "'drift'"),
    "an unknown fallback": (MINIMAL + "fallback: {drift: prayer}\n", "fallback.drift", "'review'"),
    "a typo": (MINIMAL.replace("target:", "traget:"), "prediction.traget", "did you mean `target`?"),
    "a typo at the top": (MINIMAL + "bussiness: {}\n", "field `bussiness`", "did you mean `business`?"),
    "a typo in a list": (MINIMAL.replace("uri:", "url:"), "sources[0] (crm).url", "did you mean `uri`?"),
    "a typo deep down": (
        MINIMAL.replace("uri: crm.csv", "uri: crm.csv, columns: {age: {mn: 1}}"),
        "sources[0] (crm).columns.age.mn",
        "did you mean `min`?",
    ),
    "a field of ours": (MINIMAL + "folder: /etc\n", "field `folder`", "nobody knows"),
    "a typo that is not filled in": (MINIMAL + "bussiness:\n", "field `bussiness`", "did you mean `business`?"),
    "an empty typo deep down": (
        MINIMAL.replace("target: left", "target: left, time_colum: "),
        "prediction.time_colum",
        "did you mean `time_column`?",
    ),
    "filled in twice": (
        MINIMAL.replace("target: left", "target: left, target: right"),
        "line 1, column",
        'duplicate key "target"',
    ),
    "a score in percent": (
        MINIMAL.replace("target: left", "target: left, required_score: 75"),
        "prediction.required_score",
        "no score is above 1: 75 % is 0.75",
    ),
    "nothing like it": (MINIMAL + "zzz: 1\n", "field `zzz`", "known are project, business"),
    "a missing field": (MINIMAL.replace(", target: left", ""), "prediction.target", "add `prediction.target:`"),
    "a missing block": ("sources: [{name: crm, uri: crm.csv}]\n", "field `prediction`", "add `prediction:`"),
    "no sources": ("prediction: {problem_type: regression, target: y}\nsources: []\n", "field `sources`", "at least 1"),
    "an empty source": ("prediction: {problem_type: regression, target: y}\nsources: [null]\n", "sources[0]", "name"),
    "a source without address": (MINIMAL.replace(", uri: crm.csv", ""), "sources[0] (crm)", "`stand_in`"),
    "an aggregate without key": (
        MINIMAL.replace("uri: crm.csv", "uri: crm.csv, aggregate: {n: count(*)}"),
        "sources[0] (crm)",
        "`aggregate` needs a `key`",
    ),
    "an unknown gate": (MINIMAL + "gates: {eda.source: {fail: 1}}\n", "gates", "did you mean `eda.sources`?"),
    "an unknown metric": (MINIMAL.replace("target: left", "target: left, metric: auc"), "prediction.metric", "roc_auc"),
    "a metric for something else": (
        MINIMAL.replace("target: left", "target: left, metric: rmse"),
        "prediction.metric",
        "not for classification",
    ),
    "two sources, no join": (TWO_SOURCES, "project.yaml", "need a `join` block"),
    "a join on nothing": (TWO_SOURCES + "join: {base: crm}\n", "join.on", "add `join.on:`"),
    "a join key that is a number": (TWO_SOURCES + "join: {base: crm, on: 1}\n", "field `join.on`", '"quotes"'),
    "a join onto nobody": (TWO_SOURCES + "join: {base: CRM, on: id}\n", "project.yaml", "the sources are crm, bills"),
    "two of one name": (TWO_SOURCES.replace("bills,", "crm,"), "project.yaml", "share a name"),
    "empty": ("", "project.yaml", "empty"),
    "only comments": ("# nothing\n\n", "project.yaml", "empty"),
    "a list": ("- prediction\n", "project.yaml", "not a mapping"),
    "two documents": (MINIMAL + "---\n" + MINIMAL, "project.yaml", "not valid YAML"),
    "a tag of Python": ("prediction: !!python/object/apply:os.system [echo]\n", "line 1", "not valid YAML"),
    "a tag": (MINIMAL + "project: {name: !!binary /w==}\n", "line 3, column", "a tag (!)"),
    "nesting without end": ("a: " + "[" * 5000, "project.yaml", "not valid YAML"),
    "an alias of itself": (MINIMAL + "team: &team {a: *team}\n", "line 3, column 7", "an anchor (&)"),
    "a list of itself": (
        MINIMAL.replace("uri: crm.csv", "uri: crm.csv, expected: {a: &a [*a]}"),
        "line 2, column",
        "an anchor (&)",
    ),
    "an alias of nothing": (MINIMAL + "team: *team\n", "line 3, column 7", "an alias (*)"),
    "a key that is a number": (MINIMAL + "7: x\n", "project.yaml", "a name"),
    "a key that is a list": (MINIMAL + "? [a, b]\n: x\n", "project.yaml", "a name"),
    "a time for a number": (
        MINIMAL + "business: {value: {cases_per_month: 12:30}}\n",
        "business.value.cases_per_month",
        "a number, with a point",
    ),
    "a time for a whole number": (
        MINIMAL.replace("target: left", "target: left, max_training_rows: 12:30"),
        "prediction.max_training_rows",
        "a whole number",
    ),
    "a figure nobody measures": (
        MINIMAL + "business: {process_improvement: {driven_by: recal}}\n",
        "business.process_improvement.driven_by",
        "did you mean `recall`?",
    ),
    "a review better than always right": (
        MINIMAL + "business: {value: {review: {accuracy: 95}}}\n",
        "business.value.review.accuracy",
        "less than or equal to 1",
    ),
    "a level for another trigger": (
        MINIMAL + "fallback: {drift: {to: rule, when: 0.5}}\n",
        "project.yaml",
        "only that has a level",
    ),
    "a level that is no share": (
        MINIMAL + "fallback: {low_confidence: {to: rule, when: 90}}\n",
        "low_confidence.when",
        "",
    ),
    "a reading that is no block": (
        MINIMAL.replace("uri: crm.csv", "uri: crm.csv, reading: semicolons"),
        "sources[0] (crm).reading",
        "name: value",
    ),
    "a notebook that is none": (
        MINIMAL + "notebooks: [{file: own.py}]\n",
        "notebooks[0].file",
        "ipynb",
    ),
    "accepted by nobody": (MINIMAL + "accepted: [{check: missing.critical, why: known}]\n", "accepted[0].by", "add"),
    "accepted of another source": (
        MINIMAL + "accepted: [{check: missing.critical, source: cmr, why: known, by: Ada}]\n",
        "project.yaml",
        "did you mean `crm`?",
    ),
    "accepted by an old id": (
        MINIMAL + "accepted: [{check: missing.token, why: known, by: Ada}]\n",
        "project.yaml",
        "is now `missing.placeholder`",
    ),
    "a renamed field": (
        MINIMAL.replace("target: left", "target: left, labelers: [ann]"),
        "prediction.labelers",
        "write `prediction.annotators` instead",
    ),
    "a renamed field that is not filled in": (
        MINIMAL + "business: {value: {review_cost_per_case: }}\n",
        "business.value.review_cost_per_case",
        "write `business.value.review.cost_per_case` instead",
    ),
    "a renamed gate": (
        MINIMAL + "gates: {eda.orphan_keys: {fail: 1}}\n",
        "gates.eda.orphan_keys",
        "eda.referential_integrity",
    ),
    "a warning beyond the failure": (
        MINIMAL + "gates: {eda.missing_critical: {warn: 0.3, fail: 0.2}}\n",
        "gates.eda.missing_critical",
        "warn 0.3, fail 0.2",
    ),
    "a warning beyond the usual failure": (
        MINIMAL + "gates: {eda.missing_critical: {warn: 0.3}}\n",
        "gates.eda.missing_critical",
        "fail 0.2",
    ),
    "a failure beyond the usual warning": (
        MINIMAL + "gates: {eda.target: {fail: 1000}}\n",
        "gates.eda.target",
        "higher values are better",
    ),
    "a finding that is checked no longer": (
        MINIMAL + "accepted: [{check: explainability.randomised, why: known, by: me}]\n",
        "project.yaml",
        "is gone: leave it out",
    ),
    "a gate that is gone": (MINIMAL + "gates: {explainability.randomised: {fail: 1}}\n", "gates.", "is gone"),
    "a typo in a column that is only described": (
        MINIMAL + "simulate: {columns: {s: {tenure: {tpye: number}}}}\n",
        "simulate.columns.s.tenure.tpye",
        "did you mean `type`",
    ),
    "a typo in a column that is called like a field": (
        MINIMAL.replace("[{", "[{columns: {type: {mni: 1}}, "),
        "columns.type.mni",
        "did you mean `min`",
    ),
    "a control character": (MINIMAL + "project: {name: a\x07b}\n", "project.yaml", "not valid YAML"),
}


@pytest.mark.parametrize(("text", "place", "says"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_explained(tmp_path: Path, text: str, place: str, says: str) -> None:
    error = complaint(tmp_path, text)
    assert str(tmp_path / "project.yaml") in error.details["where"]
    assert place in error.details["where"]
    assert says in str(error)
    assert error.details["fix"], "every message ends with what to do"
    for jargon in ("pydantic", "Traceback", "validation error", "type=", "yaml.scanner", ".str`", "Input should"):
        assert jargon not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None, "no other traceback above it"


def test_several_mistakes_are_counted(tmp_path: Path) -> None:
    text = MINIMAL + "zzz: 1\nproject: {name: [1]}\nfeasibility: {deadline: soon}\n"
    assert "(2 more below it)" in complaint(tmp_path, text).problem


def test_a_typo_is_named_before_the_field_it_makes_missing(tmp_path: Path) -> None:
    assert "`traget`" in complaint(tmp_path, MINIMAL.replace("target:", "traget:")).details["found"]


@pytest.mark.parametrize("content", [b"\x80\x81\xfe\xff", bytes(range(256)), "prediction: ü".encode("utf-16")])
def test_a_file_that_is_no_text_is_a_message(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "project.yaml").write_bytes(content)
    with pytest.raises(UserError, match="charter") as caught:
        loading.find(tmp_path)
    assert caught.value.details["fix"]


def test_a_folder_called_like_the_charter_is_a_message(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").mkdir()
    with pytest.raises(UserError, match="cannot be read"):
        loading.find(tmp_path)


def test_nobody_sees_a_traceback_of_ours_on_the_terminal(tmp_path: Path) -> None:
    write(tmp_path, MINIMAL + "zzz: 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "lab2live", "charter", "--project", str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "zzz" in done.stderr


def test_the_charter_cannot_be_changed_once_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="frozen"):
        read(tmp_path, MINIMAL).prediction.target = "other"  # type: ignore[misc]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
WORDS = st.sampled_from(
    (
        *("project", "business", "value", "prediction", "target", "problem_type", "classification"),
        *("sources", "name", "uri", "columns", "expected", "stand_in", "join", "on", "base"),
        *("team", "gates", "eda.sources", "fallback", "drift"),
    )
)
ANYTHING = st.recursive(
    SCALARS | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | SCALARS.filter(lambda key: key == key), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.dictionaries(WORDS, ANYTHING, max_size=6) | ANYTHING)
@example({"prediction": {"problem_type": "regression", "target": "y"}, "sources": [{"name": "a", "uri": "\0"}]})
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_yaml_says_is_a_charter_or_a_message(tmp_path: Path, content: Any) -> None:
    text = write_yaml(content)
    try:
        found = loading.read(write(tmp_path, text))
    except UserError as error:
        assert error.details["where"]
        assert error.details["fix"]
    else:
        assert found.sources


@given(st.text(max_size=60))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_file_says_is_a_charter_or_a_message(tmp_path: Path, text: str) -> None:
    path = tmp_path / "project.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UserError):
        loading.read(path)


def test_the_demos_charter_answers_everything_it_is_asked() -> None:
    found = loading.find("demo")
    assert found.base.name == "crm"
    assert all(isinstance(source, Source) and source.critical for source in found.sources)


def test_a_name_far_from_all_others_lists_what_is_known() -> None:
    assert nearest("xyz", ["one", "two"]) == "; known are one, two"
    assert nearest("tow", ["one", "two"]) == "; did you mean `two`?"
