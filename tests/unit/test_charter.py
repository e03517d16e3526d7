"""The charter: found where it lies, read as people mean it, and a mistake in it explained instead of thrown."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lab2live.charter import loading
from lab2live.charter.schema import Charter, Source, nearest
from lab2live.errors import UserError

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
    """Pretend that the package runs from a project's own `src`."""
    package = project / "src" / "lab2live"
    shutil.copytree(loading.DEMO_CHARTER.parent, package / "demo")
    monkeypatch.setattr(loading, "PACKAGE_FOLDER", package)
    monkeypatch.setattr(loading, "DEMO_CHARTER", package / "demo" / "project.yaml")


def test_the_project_that_the_package_belongs_to_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "baked")
    installed_in(tmp_path / "baked", monkeypatch)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert loading.find().folder == tmp_path / "baked"


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


def test_a_project_with_its_own_copy_of_the_package_is_not_run_on_another(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "src" / "lab2live").mkdir(parents=True)
    with pytest.raises(UserError, match="own copy of lab2live") as caught:
        loading.find(tmp_path)
    assert caught.value.details["expected"] == str(tmp_path / "src" / "lab2live")
    assert "PYTHONPATH=src" in caught.value.details["fix"]


def test_a_link_to_the_running_package_is_no_other_copy(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lab2live").symlink_to(loading.PACKAGE_FOLDER, target_is_directory=True)
    assert loading.find(tmp_path).folder == tmp_path


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


def test_what_is_merged_in_or_of_another_type_does_not_stand_there_twice() -> None:
    text = "base: &base {x: 1}\ndeep: {a: &a {<<: *base, x: 2}}\nb: {<<: *a, x: 3}\nc: {1: one, '1': text}\n"
    assert loading.load_yaml(text) == {
        "base": {"x": 1},
        "deep": {"a": {"x": 2}},
        "b": {"x": 3},
        "c": {1: "one", "1": "text"},
    }


def test_a_small_number_is_a_number(tmp_path: Path) -> None:
    text = MINIMAL.replace("uri: crm.csv", "uri: crm.csv, expected: {a: [1e-6, -2.5E+3, 1e, e1, 12]}")
    assert read(tmp_path, text).sources[0].expected == {"a": [1e-6, -2500.0, "1e", "e1", 12]}


def test_an_answer_may_be_one_plain_sentence(tmp_path: Path) -> None:
    found = read(tmp_path, MINIMAL + "business: {customer_experience: They wait less.}").business.customer_experience
    assert found.answer == "They wait less."
    assert not found.complete


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
    "an impossible date": (MINIMAL + "feasibility: {deadline: 2026-13-45}\n", "project.yaml", "month must be in 1..12"),
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
        "`target` stands in this block twice",
    ),
    "a score in percent": (
        MINIMAL.replace("target: left", "target: left, required_score: 75"),
        "project.yaml",
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
        "project.yaml",
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
    "bytes": (MINIMAL + "project: {name: !!binary /w==}\n", "project.name", "field"),
    "bytes where anything goes": (
        MINIMAL.replace("uri: crm.csv", "uri: crm.csv, expected: {a: [!!binary /w==]}"),
        "project.yaml",
        "no text, number, date, list or block",
    ),
    "nesting without end": ("a: " + "[" * 5000, "project.yaml", "not valid YAML"),
    "an alias of itself": (MINIMAL + "team: &team {a: *team}\n", "project.yaml", "remove"),
    "a list of itself": (
        MINIMAL.replace("uri: crm.csv", "uri: crm.csv, expected: {a: &a [*a]}"),
        "project.yaml",
        "remove",
    ),
    "a key that is a number": (MINIMAL + "7: x\n", "project.yaml", "a name"),
    "a key that is a list": (MINIMAL + "? [a, b]\n: x\n", "project.yaml", "not valid YAML"),
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


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
)
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
    text = yaml.safe_dump(content, allow_unicode=True)
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
