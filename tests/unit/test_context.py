"""One notebook's run: everything it finds is on disk at once, and what is out of date is not used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from lab2live.charter import gates
from lab2live.charter import loading as charters
from lab2live.errors import UserError
from lab2live.pipeline import context, store
from lab2live.pipeline.context import RunContext
from lab2live.pipeline.evidence import Evidence
from lab2live.reporting import display, plots

CHARTER = """\
project: {name: Tiny, package: tiny}
prediction: {problem_type: classification, target: y}
sources: [{name: table, uri: table.csv}]
gates: {eda.referential_integrity: {fail: 0.5}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src" / "tiny").mkdir(parents=True)
    (tmp_path / "src" / "tiny" / "rules.py").write_text("x = 1\n")
    (tmp_path / "project.yaml").write_text(CHARTER)
    (tmp_path / "table.csv").write_text("y\n1\n")
    return tmp_path


def begin(project: Path, name: str = "eda", **more: Any) -> RunContext:
    return context.begin(name, str(project), **more)


def written(run: RunContext) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((run.folder / "results" / f"{run.name}.json").read_text())
    return content


def test_without_a_folder_it_is_the_interactive_run_beside_the_charter(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert begin(project).folder == project / "runs" / "interactive"
    assert begin(project, run_dir="mine").folder == Path.cwd() / "mine"


def test_what_is_found_is_written_at_once(project: Path) -> None:
    run = begin(project, folds=3)
    run.keep(rows=np.int64(7), share=float("nan"))
    content = written(run)
    assert (content["rows"], content["share"], content["finished"], content["version"]) == (
        7,
        None,
        False,
        store.VERSION,
    )
    assert content["parameters"] == {"sample": None, "seed": 0, "folds": 3}
    run.show("eda.referential_integrity", Evidence(0.2, "Some keys are alone."))
    assert written(run)["gates"][0]["status"] == "warn"
    run.artefact(run.path("deep/er/table.csv"), "A table")
    assert written(run)["artefacts"] == [{"path": "artefacts/deep/er/table.csv", "title": "A table"}]
    assert not written(run)["finished"]
    run.close()
    assert written(run)["finished"]


def test_a_process_that_dies_has_written_what_it_found(project: Path) -> None:
    code = (
        "import os; from lab2live.pipeline import context;"
        f"r = context.begin('eda', {str(project)!r}); r.keep(rows=7); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 9
    result = store.read_result(project / "runs" / "interactive", "eda")
    assert result is not None
    assert (result["rows"], result["finished"]) == (7, False)


def test_the_last_word_on_a_gate_a_figure_or_an_artefact_counts(project: Path) -> None:
    run = begin(project)
    figure = Figure()
    figure.add_subplot().set_title("Rows")
    for value in (0.6, 0.0):
        run.show("eda.referential_integrity", Evidence(value, "measured"))
        run.artefact(run.path("a.csv"), f"after {value}")
        run.figure("rows", figure)
    content = written(run)
    assert [gate["status"] for gate in content["gates"]] == ["pass"]
    assert [entry["title"] for entry in content["artefacts"]] == ["after 0.0"]
    assert [entry["path"] for entry in content["figures"]] == ["artefacts/figures/eda-rows.png"]
    assert (run.folder / content["figures"][0]["path"]).read_bytes() == plots.png(figure)


def test_the_charter_moves_a_gates_limits(project: Path) -> None:
    run = begin(project)
    run.show("eda.referential_integrity", Evidence(0.4, "measured"))
    assert run.gates[0].status == "warn", "the default would fail it"


@pytest.mark.parametrize("name", store.RESERVED)
def test_evidence_cannot_hide_the_results_own_keys(project: Path, name: str) -> None:
    run = begin(project)
    with pytest.raises(ValueError, match="key of the results file"):
        run.keep(**{name: 1})


@pytest.mark.parametrize("bad", [{"sample": 0}, {"sample": -5}, {"sample": "abc"}, {"sample": 1.5}, {"seed": "x"}])
def test_a_parameter_that_cannot_be_used_is_a_message(project: Path, bad: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=f"`{next(iter(bad))}`"):
        begin(project, **bad)


def test_a_run_folder_that_is_a_file_is_a_message(project: Path) -> None:
    with pytest.raises(UserError, match="cannot be created"):
        begin(project, run_dir=str(project / "table.csv"))


# what an earlier stage found


def finished(project: Path, **more: Any) -> None:
    run = begin(project, **more)
    run.keep(rows=7)
    run.close()


def upstream(project: Path, **more: Any) -> dict[str, Any] | None:
    return begin(project, "poc", **more).upstream("eda")


def test_a_finished_stage_of_the_same_run_is_used(project: Path) -> None:
    finished(project, bins=20)
    found = upstream(project, folds=5)
    assert found is not None
    assert found["rows"] == 7
    assert upstream(project, run_dir=str(project / "another")) is None


def test_a_missing_or_unfinished_stage_is_not_used(project: Path) -> None:
    assert upstream(project) is None
    begin(project).keep(rows=7)
    assert upstream(project) is None


def change_charter(project: Path) -> None:
    (project / "project.yaml").write_text(CHARTER.replace("0.5", "0.4"))


def change_data(project: Path) -> None:
    (project / "table.csv").write_text("y\n2\n")


def change_code(project: Path) -> None:
    (project / "src" / "tiny" / "rules.py").write_text("x = 2\n")


def lose_data(project: Path) -> None:
    (project / "table.csv").unlink()


@pytest.mark.parametrize("change", [change_charter, change_data, change_code, lose_data])
def test_what_a_stage_depends_on_makes_it_out_of_date(project: Path, change: Any) -> None:
    finished(project)
    change(project)
    assert upstream(project) is None


@pytest.mark.parametrize("file", ["before.csv", "regions.csv"])
def test_what_a_source_is_compared_with_makes_it_out_of_date(project: Path, file: str) -> None:
    for name in ("before.csv", "regions.csv"):
        (project / name).write_text("y\n1\n")
    more = "uri: table.csv, snapshot: before.csv, expected: {y: regions.csv}"
    (project / "project.yaml").write_text(CHARTER.replace("uri: table.csv", more))
    finished(project)
    assert upstream(project) is not None
    (project / file).write_text("y\n2\n")
    assert upstream(project) is None


@pytest.mark.parametrize("change", [{"sample": 5}, {"seed": 1}])
def test_other_rows_make_it_out_of_date(project: Path, change: dict[str, int]) -> None:
    finished(project)
    assert upstream(project, **change) is None
    finished(project, **change)
    assert upstream(project, **change) is not None


def test_a_comment_in_the_charter_changes_nothing(project: Path) -> None:
    finished(project)
    (project / "project.yaml").write_text("# more to come\n" + CHARTER)
    os.utime(project / "table.csv", (1, 1))
    assert upstream(project) is not None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b'{"finished": true}', b'{"version": 0}', b"\xff"])
def test_a_damaged_result_is_as_good_as_missing(project: Path, content: bytes) -> None:
    finished(project)
    store.result_path(project / "runs" / "interactive", "eda").write_bytes(content)
    assert upstream(project) is None


def test_a_folder_of_files_is_part_of_the_data(project: Path) -> None:
    (project / "project.yaml").write_text(CHARTER.replace("table.csv", "tables"))
    (project / "tables").mkdir()
    (project / "tables" / "a.csv").write_text("y\n1\n")
    finished(project)
    assert upstream(project) is not None
    (project / "tables" / "b.csv").write_text("y\n1\n")
    assert upstream(project) is None


def test_the_rows_a_source_is_simulated_from_are_part_of_the_data(project: Path) -> None:
    charter = CHARTER.replace("table.csv", "'simulated://'") + "simulate: {sample: {table: rows.csv}}\n"
    (project / "project.yaml").write_text(charter)
    (project / "rows.csv").write_text("y\n1\n")
    finished(project)
    assert upstream(project) is not None
    (project / "rows.csv").write_text("y\n2\n")
    assert upstream(project) is None


def test_jupyters_checkpoints_are_no_code(project: Path) -> None:
    finished(project)
    checkpoints = project / "src" / "tiny" / ".ipynb_checkpoints"
    checkpoints.mkdir()
    (checkpoints / "rules-checkpoint.py").write_text("x = 1\n")
    assert upstream(project) is not None


def test_a_stage_begun_again_in_the_same_kernel_uses_the_code_as_it_is_now(project: Path) -> None:
    from lab2live.pipeline import hooks

    rules = project / "src" / "tiny" / "rules.py"
    (project / "src" / "tiny" / "__init__.py").write_text("")
    for number in (1, 22):
        rules.write_text(f"x = {number}\n")
        found = hooks.module(begin(project).charter, "rules")
        assert found is not None and found.x == number


def test_figures_of_own_gates_do_not_hide_each_other(project: Path) -> None:
    gate = "Gate(id='own.{}.total', requirement='B3', title='Calls', question='Few?', better='lower', fail=10)"
    code = f"from lab2live import Gate\nGATES = [{gate.format('a')}, {gate.format('b')}]\n"
    (project / "src" / "tiny" / "gates.py").write_text(code)
    (project / "src" / "tiny" / "__init__.py").write_text("")
    run = begin(project, "own_analysis")
    for name in "ab":
        run.show(f"own.{name}.total", Evidence(1.0, "1 call.", figure=Figure()))
    assert len({entry["path"] for entry in run.figures}) == 2


def test_a_secret_in_an_address_is_not_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "project.yaml").write_text(CHARTER.replace("table.csv", "'postgres://me:${LAB2LIVE_TEST_SECRET}@h/db'"))
    monkeypatch.delenv("LAB2LIVE_TEST_SECRET", raising=False)
    finished(project)
    monkeypatch.setenv("LAB2LIVE_TEST_SECRET", "s3cret")
    assert upstream(project) is None
    finished(project)
    everything = b"".join(path.read_bytes() for path in (project / "runs").rglob("*") if path.is_file())
    assert b"s3cret" not in everything


# what the reader must know first


def titles(project: str, sample: int | None = None) -> list[str]:
    return [str(banner) for banner in context.banners(charters.find(project), sample)]


def test_real_data_in_full_needs_no_banner(project: Path) -> None:
    assert titles(str(project)) == []


def test_demo_stand_in_and_sample_are_announced(project: Path) -> None:
    assert "Demo" in titles("demo")[0]
    assert "1,500 rows" in titles(str(project), 1500)[0]
    (project / "project.yaml").write_text(CHARTER.replace("uri: table.csv", "uri: table.csv, access: simulated"))
    assert "Not the real thing yet: table." in titles(str(project))[0]


def test_begin_shows_the_banners(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(project, sample=3)
    assert "Computed on 3 rows at most." in capsys.readouterr().out


def test_every_table_of_a_stage_on_a_stand_in_says_so_and_the_next_stage_on_real_data_does_not(project: Path) -> None:
    begin(project)
    assert "stand-in" not in display.table([{"a": 1}], "All").html
    stand_in = CHARTER.replace("uri: table.csv", "uri: real.csv, stand_in: table.csv, access: requested")
    (project / "project.yaml").write_text(stand_in)
    begin(project)
    assert "<caption>All (on stand-in data: table)</caption>" in display.table([{"a": 1}], "All").html
    (project / "project.yaml").write_text(CHARTER)
    begin(project)
    assert "stand-in" not in display.table([{"a": 1}], "All").html


def test_figures_gates_and_files_computed_on_a_stand_in_say_so(project: Path) -> None:
    stand_in = CHARTER.replace("uri: table.csv", "uri: real.csv, stand_in: table.csv, access: requested")
    (project / "project.yaml").write_text(stand_in)
    run = begin(project)
    run.figure("some", plots.bars(["a"], [1.0], "One bar", "share"))
    run.artefact(run.path("list.csv"), "A list")
    content = store.read_result(run.folder, run.name)
    assert content is not None
    assert content["figures"][0]["alt"].endswith("(on stand-in data: table)")
    assert content["artefacts"][0]["title"] == "A list (on stand-in data: table)"
    gate = gates.judge("eda.signal", 0.001, "Found.")
    assert "(on stand-in data: table)" in display.gate(gate).html
    (project / "project.yaml").write_text(CHARTER)
    run = begin(project)
    run.figure("some", plots.bars(["a"], [1.0], "One bar", "share"))
    content = store.read_result(run.folder, run.name)
    assert content is not None and "stand-in" not in content["figures"][0]["alt"] + display.gate(gate).html


def test_no_telemetry_from_a_notebook_opened_by_hand(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YDATA_PROFILING_NO_ANALYTICS", raising=False)
    begin(project)
    assert os.environ["YDATA_PROFILING_NO_ANALYTICS"] == "1"


def test_the_last_cell_names_what_hangs_on_measured_times_without_a_number(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = begin(project, "handoff")
    run.show("handoff.latency", Evidence(0.4321, "Fast."))
    run.show("handoff.python", Evidence(0.0, "Fits."))
    capsys.readouterr()
    run.close()
    shown = capsys.readouterr().out
    assert "Fits." in shown and "handoff.latency" in shown
    assert "0.432" not in shown and "Fast." not in shown
    assert [gate["id"] for gate in written(run)["gates"]] == ["handoff.latency", "handoff.python"]


# what answers a question


def test_evidence_is_shown_judged_and_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = begin(project)
    table = pd.DataFrame({"key": ["a"], "rows": [3]})
    figure = plots.bars(["a"], [3.0], "Keys", "rows")
    run.show("eda.referential_integrity", Evidence(0.2, "Some are alone.", table, figure, {"orphans": np.int64(3)}))
    content = written(run)
    assert (content["gates"][0]["id"], content["gates"][0]["status"]) == ("eda.referential_integrity", "warn")
    assert content["orphans"] == 3
    assert [entry["path"] for entry in content["figures"]] == ["artefacts/figures/eda-referential_integrity.png"]
    shown = capsys.readouterr().out
    assert "Some are alone." in shown and "Referential integrity" in shown


def test_what_could_not_be_computed_is_skipped_with_its_reason(project: Path) -> None:
    run = begin(project)
    run.show("eda.signal", Evidence(None, "Too few rows."))
    assert [(gate.status, gate.message) for gate in run.gates] == [("skip", "Too few rows.")]


def test_a_chart_that_cannot_be_drawn_is_said_in_words_and_the_gate_judged(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Figure()
    own.suptitle("My own")
    own.text(0.5, 0.5, r"$\frac{$")  # found out only when it is drawn
    broken: Any = object()
    with monkeypatch.context() as patch:
        patch.setattr(plots, "finish", lambda *_: 1 / 0)
        ours = plots.bars(["a"], [1.0], "Keys", "rows")
    for figure, says in ((ours, "ZeroDivisionError"), (own, "ValueError"), (broken, "AttributeError")):
        run = begin(project)
        run.show("eda.referential_integrity", Evidence(0.2, "Some are alone.", figure=figure))
        assert [(gate.status, gate.message) for gate in run.gates] == [("warn", "Some are alone.")]
        (entry,) = written(run)["figures"]
        assert entry["alt"].startswith(f"This chart cannot be drawn ({says}: ") and entry["title"] == entry["alt"]
        assert (run.folder / entry["path"]).stat().st_size > 1000


@pytest.mark.parametrize(
    ("name", "says"), [("eda.orphan_keys", "referential_integrity"), ("eda.signl", "eda.signal"), ("own.x", "no gate")]
)
def test_a_gate_that_is_not_there_is_a_message(project: Path, name: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        begin(project).show(name, Evidence(1.0, "Measured."))


def test_a_gate_of_the_projects_own_can_be_shown_by_any_notebook(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny"]:
        monkeypatch.delitem(sys.modules, name)  # another project of these tests has a package of that name
    gate = "Gate(id='own.calls', requirement='B3', title='Calls', question='Few?', better='lower', fail=10)"
    (project / "src" / "tiny" / "gates.py").write_text(f"from lab2live import Gate\nGATES = [{gate}]\n")
    (project / "src" / "tiny" / "__init__.py").write_text("")
    run = begin(project, "own_analysis")
    run.show("own.calls", Evidence(12.0, "12 calls."))
    assert [(one.stage, one.status) for one in run.gates] == [("own_analysis", "fail")]


def test_a_measure_is_kept_under_the_name_that_all_pages_use(project: Path) -> None:
    run = begin(project)
    run.measure("recall", 0.4, 0.3, 0.5, 0.9, "share")
    run.measure("precision", None)
    known = {"value": 0.4, "low": 0.3, "high": 0.5, "level": 0.9, "unit": "share"}
    assert written(run)["measures"] == {"recall": known, "precision": None}


def test_other_versions_of_the_libraries_make_it_out_of_date(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(project)
    assert upstream(project) is not None
    monkeypatch.setattr(store, "versions", lambda: {"pandas": "9.9"})
    assert upstream(project) is None
