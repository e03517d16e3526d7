"""The journey over four tiny notebooks: what is executed, what is kept, and that a run is readable however it ended.

A notebook's parameter `mood` says what goes wrong in it. Where only the order of things matters, cells are executed in
this process instead of a kernel, which takes milliseconds; kernels that break or die are real ones.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from lab2live import wheel
from lab2live.charter import loading as charters
from lab2live.charter.gates import CATALOGUE, STAGES
from lab2live.charter.schema import Charter
from lab2live.errors import UserError
from lab2live.pipeline import decision, notebooks, runner, snapshots, store
from lab2live.pipeline.runner import JOURNEY, Node
from lab2live.reporting import html as page

CHARTER = """\
project: {name: Tiny, description: "Does it run?"}
prediction: {problem_type: classification, target: y}
sources: [{name: table, uri: table.csv}]
"""
GATES = {"eda": "eda.missing_critical", "poc": "poc.generalization_gap", "explainability": "explainability.additivity"}
PARAMETERS = """\
project: str = None
run_dir: str = None
sample: int = None
seed: int = 0
mood: str = "fine"
value: float = 1
"""
BEGIN = """\
from lab2live import Evidence
from lab2live.pipeline import context
run = context.begin("{stage}", project, run_dir, sample=sample, seed=seed, mood=mood, value=value)
run.keep(seen=[name for name in {needs} if run.upstream(name)])
"""
MOODS = """\
if mood == "raises":
    [].pop()
elif mood == "dies":
    import os
    os._exit(1)
elif mood == "leaves":
    import sys
    sys.exit(0)
elif mood == "explains":
    from lab2live.errors import UserError
    raise UserError("The <b>table</b> is empty.", where="table.csv", fix="fill it")
elif mood == "litters":
    import tempfile
    with open(tempfile.mkdtemp() + "/copy-of-data", "w") as file:
        file.write(tempfile.gettempdir())
    run.keep(littered=file.name)
    raise ValueError("and nobody tidies up")
elif mood == "waits":
    import time
    time.sleep(60)
"""


def show(gate: str) -> str:
    return f"run.show('{gate}', Evidence(value - 1, 'measured'))"


def notebook(node: Node) -> Any:
    cells = [
        new_markdown_cell(f"# {node.title}"),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(BEGIN.format(stage=node.stage, needs=node.needs)),
        new_code_cell(show(GATES[node.stage]) if node.stage in GATES else "1 + 1"),
        new_code_cell(""),
        new_code_cell(MOODS),
        new_code_cell("if mood != 'forgets':\n    run.close()"),
    ]
    return new_notebook(cells=cells)


def make(folder: Path) -> Charter:
    (folder / "notebooks").mkdir(parents=True)
    (folder / "project.yaml").write_text(CHARTER)
    (folder / "table.csv").write_text("y\n1\n")
    for node in JOURNEY:
        nbformat.write(notebook(node), folder / node.notebook)
    return charters.read(folder / "project.yaml")


def statuses(run: Path) -> dict[str, str]:
    return {record["stage"]: record["status"] for record in decision.read(run)["run"]["stages"]}


def record_of(run: Path, name: str = "eda") -> dict[str, Any]:
    return next(record for record in decision.read(run)["run"]["stages"] if record["stage"] == name)


def gate_of(run: Path, gate_id: str) -> dict[str, Any]:
    return next(gate for gate in decision.read(run)["gates"] if gate["id"] == gate_id)


def follows_the_contract(run: Path) -> None:
    """Hold verdict.json against design.md."""
    content = json.loads((run / "verdict.json").read_text())
    assert content["decision"] in ("go", "conditional", "no-go")
    assert content["reasons"]
    assert [gate["id"] for gate in content["gates"]] == list(CATALOGUE)
    for gate in content["gates"]:
        assert {"id", "requirement", "stage", "must_pass", "status", "value", "threshold", "unit", "message"} <= set(
            gate
        )
        assert gate["status"] in ("pass", "warn", "fail", "skip")
        assert (gate["value"] is None) == (gate["status"] == "skip")
        assert gate["message"]
    assert [record["stage"] for record in content["run"]["stages"] if not record["own"]] == list(STAGES)
    assert content["measures"].keys() >= set(decision.MEASURES)
    assert content["run"]["versions"].keys() >= {"python", "lab2live", "pandas", "scikit-learn"}
    for record in content["run"]["stages"]:
        assert record["status"] in ("done", "kept", "failed", "not run")
        assert (record["error"] is not None) == (record["status"] == "failed")
        for name in (record["notebook"], record["html"]):
            assert name is None or (run / name).is_file()
    assert content["run"]["id"] == run.name
    assert (run / "index.html").stat().st_size > 1000


@pytest.fixture(scope="module", autouse=True)
def _environment_is_left_as_it_was() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTHONPATH", "YDATA_PROFILING_NO_ANALYTICS", "PYDEVD_DISABLE_FILE_VALIDATION"):
            patch.setenv(name, os.environ.get(name, ""))
        yield


# with real kernels: one whole run, and one for every way to end badly


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Charter:
    # braces in a path are papermill's placeholders
    return make(tmp_path_factory.mktemp("journey") / "{a} project")


@pytest.fixture(scope="module")
def done(project: Charter) -> Path:
    os.environ["LAB2LIVE_TEST_SECRET"] = "s3cret"
    try:
        return runner.run(project)
    finally:
        del os.environ["LAB2LIVE_TEST_SECRET"]


Breaking = Callable[[str], Path]


@pytest.fixture(scope="module")
def broken(project: Charter, tmp_path_factory: pytest.TempPathFactory) -> Breaking:
    known: dict[str, Path] = {}

    def run(mood: str) -> Path:
        if mood not in known:
            folder = tmp_path_factory.mktemp(mood) / "run"
            known[mood] = runner.run(project, run_dir=folder, overrides={"eda": {"mood": mood}})
        return known[mood]

    return run


def test_a_whole_run_leaves_what_the_design_promises(project: Charter, done: Path) -> None:
    assert set(statuses(done).values()) == {"done"}
    follows_the_contract(done)
    assert done.parent == project.folder / "runs"
    assert (project.folder / "runs" / "latest").read_text() == done.name + "\n"
    for node in JOURNEY:
        assert json.loads((done / "results" / f"{node.stage}.json").read_text())["seen"] == list(node.needs)
        assert "run.close()" not in (done / node.html).read_text(), "pages are without code"


def test_executed_copies_never_overwrite_the_sources(project: Charter, done: Path) -> None:
    for node in JOURNEY:
        source = project.folder / node.notebook
        assert nbformat.reads(source.read_text(), as_version=4).cells[2].execution_count is None
        assert notebooks.source_cells(source) == notebooks.source_cells(done / node.name)


def test_no_secret_of_the_environment_is_written(done: Path) -> None:
    assert b"s3cret" not in b"".join(path.read_bytes() for path in done.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("mood", "name", "says"),
    [
        ("raises", "IndexError", "pop from empty list"),
        ("dies", "DeadKernelError", "kernel died"),
        ("leaves", "SystemExit", "sys.exit()"),
        ("explains", "UserError", "The <b>table</b> is empty."),
    ],
)
def test_a_notebook_that_ends_badly_leaves_the_run_readable(broken: Breaking, mood: str, name: str, says: str) -> None:
    run = broken(mood)
    follows_the_contract(run)
    assert statuses(run) == {"eda": "failed", "poc": "not run", "explainability": "not run", "handoff": "not run"}
    error = record_of(run)["error"]
    assert (error["name"], error["cell"]) == (name, 5), "counted from 0 as in the source, parameters not injected"
    assert says in error["message"]
    assert error["source"].startswith('if mood == "raises"')
    assert decision.exit_code(decision.read(run)) == 1


@pytest.mark.parametrize("mood", ["raises", "dies", "leaves", "explains"])
def test_what_was_found_before_it_broke_counts(broken: Breaking, mood: str) -> None:
    run = broken(mood)
    assert gate_of(run, "eda.missing_critical")["status"] == "pass"
    assert gate_of(run, "eda.target")["message"] == "The stage broke before this question."
    assert "`eda` broke" in gate_of(run, "poc.generalization_gap")["message"]
    html = (run / "01_eda.html").read_text()
    assert "measured" in html, "the partial notebook is a page"
    assert "stopped" in html or "not run to its end" in html


def test_a_message_for_people_stands_alone_on_the_page(broken: Breaking) -> None:
    html = (broken("explains") / "01_eda.html").read_text()
    assert "fill it" in html
    for frame in ("most recent call last", "ipython-input", "ipykernel", "raise UserError"):
        assert frame not in html
    for text in (html, (broken("explains") / "index.html").read_text()):
        assert "<b>table</b>" not in text, "it may quote data"


def test_a_broken_run_goes_on_from_where_it_broke(project: Charter, broken: Breaking) -> None:
    again = runner.run(project, run_dir=broken("raises"), only="eda")
    assert statuses(again)["eda"] == "done"
    assert record_of(again)["error"] is None


def test_ctrl_c_keeps_what_was_finished(tmp_path: Path) -> None:
    make(tmp_path)
    command = [sys.executable, "-m", "lab2live", "run", "--set", "poc.mood=waits"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # whoever runs the tests in the background ignores Ctrl-C, and would hand that on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    waiting = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/results/poc.json")) and time.monotonic() < waiting:
        time.sleep(0.1)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "What was finished is kept" in errors
    run = store.newest_in(tmp_path)
    assert run is not None
    follows_the_contract(run)
    assert statuses(run) == {"eda": "done", "poc": "failed", "explainability": "not run", "handoff": "not run"}
    assert record_of(run, "poc")["error"]["name"] == "Stopped"
    assert "Stopped by hand" in (run / "index.html").read_text()


# references


def test_references_hold_outputs_but_nothing_of_the_run(
    project: Charter, done: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "run", lambda *_, **__: done)
    written = list(snapshots.record(project))
    assert written == [project.folder / "tests" / "reference" / node.name for node in JOURNEY]
    text = written[0].read_text()
    content = nbformat.reads(text, as_version=4)
    assert [cell.id for cell in content.cells[:2]] == ["eda-00", "eda-01"]
    assert [cell.execution_count for cell in content.cells if cell.cell_type == "code"] == [1, 2, 3, 4, 5, 6]
    assert any(cell.get("outputs") for cell in content.cells)
    assert str(done) not in text
    assert "papermill" not in text
    assert snapshots.normalised(written[0], "eda") == text, "twice is the same as once"
    assert notebooks.source_cells(written[0]) == notebooks.source_cells(project.folder / "notebooks" / "01_eda.ipynb")


def test_another_hash_of_lab2live_is_no_change_of_a_reference(tmp_path: Path) -> None:
    cell = new_code_cell("card", outputs=[new_output("stream", text=f"made by lab2live {wheel.version()}")])
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "01_eda.ipynb")
    recorded = nbformat.reads(snapshots.normalised(tmp_path / "01_eda.ipynb", "eda"), as_version=4)
    plain, hashed, _ = wheel.version().partition("+")
    assert hashed and recorded.cells[0].outputs[0].text == f"made by lab2live {plain}"


def test_a_broken_notebook_is_not_recorded(
    project: Charter, broken: Breaking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = broken("dies")  # before the real function is gone
    monkeypatch.setattr(runner, "run", lambda *_, **__: run)
    moved = project.model_copy(update={"folder": tmp_path})
    monkeypatch.setattr(runner, "home_of", lambda _: project.folder)
    with pytest.raises(UserError, match="A notebook breaks") as caught:
        list(snapshots.record(moved))
    assert "cell 5" in caught.value.details["where"]
    assert list(tmp_path.iterdir()) == []


def test_the_demo_is_recorded_in_the_templates_checkout_only(project: Charter, monkeypatch: pytest.MonkeyPatch) -> None:
    demo = project.model_copy(update={"file": charters.DEMO_CHARTER})
    monkeypatch.setattr(
        notebooks, "SHIPPED", project.folder / "notebooks"
    )  # installed, there is no template beside them
    with pytest.raises(UserError, match="template's own checkout"):
        list(snapshots.record(demo))


# in this process: which stages are executed, and which are kept


class Here:
    """Executes notebooks in this process, and notes which."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.given: dict[str, dict[str, Any]] = {}
        self.interrupt = ""

    def __call__(
        self, source: Path, target: Path, parameters: Mapping[str, Any], cwd: Path, on_cell: Callable[[int, int], None]
    ) -> notebooks.Outcome:
        content = nbformat.read(source, as_version=4)
        name = source.stem.partition("_")[2]
        self.stages.append(name)
        self.given[name] = dict(parameters)
        scope: dict[str, Any] = {}
        error: dict[str, Any] | None = None
        for number, cell in enumerate(content.cells):
            on_cell(number, len(content.cells))
            if cell.cell_type != "code" or error:
                continue
            cell.execution_count = number
            try:
                if name == self.interrupt:
                    raise KeyboardInterrupt
                with redirect_stdout(io.StringIO()):
                    exec(cell.source, scope)
                if "parameters" in cell.metadata.get("tags", []):
                    scope |= parameters
            except (Exception, KeyboardInterrupt) as problem:
                error = {"name": type(problem).__name__, "message": str(problem), "source": cell.source}
                cell.outputs = [new_output("error", ename=error["name"], evalue=error["message"], traceback=[])]
                error |= {"cell": number, "cell_id": cell.id}
        nbformat.write(content, target)
        return notebooks.Outcome(0.1, error, name == self.interrupt)

    def names(self) -> list[str]:
        """Say which stages were executed since this was last asked."""
        found, self.stages = self.stages, []
        return found


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Here:
    executor = Here()
    monkeypatch.setattr(page, "export_notebook", lambda notebook, html, title: html.write_text(title))
    monkeypatch.setattr(notebooks, "execute", executor)
    return executor


@pytest.fixture
def tiny(tmp_path: Path, here: Here) -> Charter:
    return make(tmp_path / "tiny")


ALL = list(STAGES)


def test_a_must_pass_gate_that_fails_stops_what_depends_on_it(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"eda": {"value": 2}})
    assert here.names() == ["eda"]
    assert statuses(run) == {"eda": "done", "poc": "not run", "explainability": "not run", "handoff": "not run"}
    follows_the_contract(run)
    content = decision.read(run)
    assert (content["decision"], decision.exit_code(content)) == ("no-go", 2)
    assert "`eda.missing_critical` must pass and failed" in gate_of(run, "poc.generalization_gap")["message"]
    assert "`poc` did not run" in gate_of(run, "handoff.reload")["message"] or "must pass" in str(content["gates"][-1])


def test_told_to_keep_going_it_goes_on(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"eda": {"value": 2}}, keep_going=True)
    assert here.names() == ALL
    assert decision.read(run)["decision"] == "no-go", "which changes nothing about the verdict"


def test_a_broken_stage_does_not_stop_one_that_keeps_going(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"poc": {"mood": "raises"}}, keep_going=True)
    assert here.names() == ALL
    assert statuses(run) == {"eda": "done", "poc": "failed", "explainability": "done", "handoff": "done"}
    assert decision.exit_code(decision.read(run)) == 1


def test_a_gate_that_need_not_pass_stops_nothing(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"poc": {"value": 9}})
    assert here.names() == ALL
    assert gate_of(run, "poc.generalization_gap")["status"] == "fail"
    assert decision.read(run)["decision"] == "conditional"


def test_a_stage_that_breaks_in_the_middle_stops_only_what_comes_after(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"explainability": {"mood": "raises"}})
    assert here.names() == ["eda", "poc", "explainability"]
    assert statuses(run) == {"eda": "done", "poc": "done", "explainability": "failed", "handoff": "not run"}
    follows_the_contract(run)


def test_a_notebook_that_breaks_leaves_no_copies_of_data_behind(broken: Breaking) -> None:
    before = os.environ.get("TMPDIR")
    folder = broken("litters")
    result = store.read_result(folder, "eda")
    assert result is not None
    littered = Path(result["littered"])
    assert littered.name == "copy-of-data" and not littered.exists() and not littered.parent.parent.exists()
    assert os.environ.get("TMPDIR") == before


def test_a_notebook_that_forgets_to_close_is_unfinished_business(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"eda": {"mood": "forgets"}})
    assert record_of(run)["status"] == "failed"
    assert "run.close()" in record_of(run)["error"]["message"]
    follows_the_contract(run)


def test_the_next_run_continues_the_unfinished_one(tiny: Charter, here: Here) -> None:
    first = runner.run(tiny, overrides={"poc": {"mood": "raises"}})
    assert here.names() == ["eda", "poc"]
    again = runner.run(tiny)
    assert again == first
    assert here.names() == ["poc", "explainability", "handoff"]
    assert statuses(again)["eda"] == "kept"
    assert record_of(again)["html"] == "01_eda.html"
    follows_the_contract(again)


def content_of(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file() and path.name != store.LOCK}


def test_a_finished_run_is_given_back_as_long_as_nothing_has_changed(tiny: Charter, here: Here) -> None:
    first = runner.run(tiny)
    before = content_of(first)
    here.names()
    assert runner.run(tiny) == first
    assert here.names() == []
    assert content_of(first) == before


@pytest.mark.parametrize("more", [{"only": "poc"}, {}], ids=["one stage", "all"])
def test_a_finished_run_is_never_written_again(tiny: Charter, here: Here, more: dict[str, Any]) -> None:
    first = runner.run(tiny)
    before = content_of(first)
    here.names()
    second = runner.run(tiny, overrides={"poc": {"mood": "happy"}}, **more)
    assert second != first, "even within one second"
    assert content_of(first) == before
    assert here.names() == (["poc"] if more else ["poc", "explainability", "handoff"]), "the rest is taken over"
    assert statuses(second)["eda"] == "kept"
    assert (second / "01_eda.html").is_file()
    assert store.newest_in(tiny.folder) == second
    follows_the_contract(second)


def test_a_named_run_that_is_finished_is_not_written_again(tiny: Charter, here: Here, tmp_path: Path) -> None:
    run = runner.run(tiny, run_dir=tmp_path / "mine")
    before = content_of(run)
    with pytest.raises(UserError, match="never written again") as caught:
        runner.run(tiny, run_dir=run, overrides={"poc": {"mood": "happy"}})
    assert "--run-dir" in caught.value.details["fix"]
    assert content_of(run) == before


def test_what_lies_behind_an_address_is_read_again(tiny: Charter, here: Here) -> None:
    """A row of a database may have changed without anybody noticing."""
    tiny.file.write_text(CHARTER.replace("table.csv", "postgres://host/db"))
    charter = charters.read(tiny.file)
    first = runner.run(charter)
    here.names()
    assert runner.run(charter) != first
    assert here.names() == ALL


@pytest.mark.parametrize("change", ["content", "nothing"])
def test_a_database_in_a_file_is_known_by_its_content(tiny: Charter, here: Here, change: str) -> None:
    tiny.file.write_text(CHARTER.replace("table.csv", "sqlite:///tables.db"))
    (tiny.folder / "tables.db").write_bytes(b"as it was")
    charter = charters.read(tiny.file)
    runner.run(charter)
    here.names()
    (tiny.folder / "tables.db").write_bytes(b"as it was" if change == "nothing" else b"another row")
    runner.run(charter)
    assert here.names() == ([] if change == "nothing" else ALL)


@pytest.mark.parametrize("other", ["a smoke run", "on stand-ins"])
def test_one_stage_on_other_data_never_goes_into_a_run_that_is_there(tiny: Charter, here: Here, other: str) -> None:
    real = runner.run(tiny)
    before = (real / "results" / "eda.json").read_bytes()
    simulated = [source.model_copy(update={"access": "simulated"}) for source in tiny.sources]
    changed = tiny.model_copy(update={"sources": simulated}) if other == "on stand-ins" else tiny
    assert runner.run(changed, only="eda", smoke=other == "a smoke run") != real
    assert (real / "results" / "eda.json").read_bytes() == before
    runs_of_its_own = {path.name for path in real.parent.iterdir() if path.is_dir()}
    assert runner.run(changed, only="eda", smoke=other == "a smoke run").name in runs_of_its_own


def test_force_starts_anew_and_executes_everything(tiny: Charter, here: Here) -> None:
    first = runner.run(tiny, overrides={"poc": {"mood": "raises"}})
    assert runner.run(tiny, force=True) != first
    here.names()
    runner.run(tiny, run_dir=first, force=True)
    assert here.names() == ALL


def test_a_named_run_that_is_up_to_date_is_kept_as_it_is(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny)
    here.names()
    assert runner.run(tiny, run_dir=run) == run
    assert here.names() == []
    assert set(statuses(run).values()) == {"done"}
    assert decision.read(run)["gates"][2]["status"] == "pass"


def change_notebook(project: Path) -> None:
    path = project / "notebooks" / "02_poc.ipynb"
    content = nbformat.read(path, as_version=4)
    content.cells[3].source += "\n# looked at it again"
    nbformat.write(content, path)


def change_nothing(project: Path) -> None:
    """Outputs are no source: a notebook opened and saved in Jupyter has not changed."""
    path = project / "notebooks" / "02_poc.ipynb"
    content = nbformat.read(path, as_version=4)
    content.cells[3].execution_count = 7
    nbformat.write(content, path)


@pytest.mark.parametrize(
    ("change", "executed"),
    [
        (change_nothing, []),
        (change_notebook, ["poc", "explainability", "handoff"]),
        (lambda project: (project / "table.csv").write_text("y\n2\n"), ALL),
        (lambda project: (project / "project.yaml").write_text(CHARTER + "team: {lead: {who: Ada}}"), ALL),
        (
            lambda project: next(project.glob("runs/*/results/poc.json")).write_text("{"),
            ["poc", "explainability", "handoff"],
        ),
        (lambda project: next(project.glob("runs/*/02_poc.ipynb")).unlink(), ["poc", "explainability", "handoff"]),
        (lambda project: next(project.glob("runs/*/verdict.json")).write_text("{"), []),
    ],
    ids=["nothing", "a notebook", "data", "charter", "a damaged result", "a lost copy", "a damaged verdict"],
)
def test_what_changed_and_what_follows_from_it_is_executed_again(
    tiny: Charter, here: Here, change: Callable[[Path], object], executed: list[str]
) -> None:
    first = runner.run(tiny)
    told = (first / "verdict.json").read_bytes()
    here.names()
    change(tiny.folder)
    run = runner.run(charters.read(tiny.file))
    assert here.names() == executed
    if (run / "verdict.json").read_bytes() == told:
        assert (run, executed) == (first, []), "given back as it is"
    else:
        assert statuses(run) == {name: "done" if name in executed else "kept" for name in STAGES}
    follows_the_contract(run)


def test_a_changed_parameter_executes_its_stage_and_what_follows(tiny: Charter, here: Here) -> None:
    runner.run(tiny)
    here.names()
    runner.run(tiny, overrides={"explainability": {"seed": 3}})
    assert here.names() == ["explainability", "handoff"]


@pytest.mark.parametrize("text", ["{", "[]", '{"run": 1}'])
def test_an_earlier_verdict_that_cannot_be_read_stands_in_nobodys_way(tiny: Charter, here: Here, text: str) -> None:
    run = runner.run(tiny)
    here.names()
    (run / "verdict.json").write_text(text)
    assert runner.run(tiny) == run
    assert here.names() == [], "what the stages found lies in files of their own"
    assert set(statuses(run).values()) == {"kept"}
    follows_the_contract(run)


@pytest.mark.parametrize("name", ["", "gone", "\n"])
def test_a_pointer_to_no_run_starts_a_new_one(tiny: Charter, here: Here, name: str) -> None:
    (tiny.folder / "runs").mkdir()
    (tiny.folder / "runs" / "latest").write_text(name)
    assert store.newest_in(tiny.folder) is None
    assert runner.run(tiny).parent == tiny.folder / "runs"


def test_the_unfinished_run_of_another_project_is_left_alone(tiny: Charter, here: Here) -> None:
    first = runner.run(tiny, overrides={"poc": {"mood": "raises"}})
    demo = charters.read(charters.DEMO_CHARTER, folder=tiny.folder)
    (tiny.folder / "project.yaml").write_text(CHARTER.replace("Tiny", "Another"))
    assert runner.run(demo) != first
    assert runner.run(charters.read(tiny.file)) != first


def test_the_demo_is_the_demo_even_in_the_folder_of_a_project(tiny: Charter, here: Here) -> None:
    runner.run(charters.read(charters.DEMO_CHARTER, folder=tiny.folder))
    assert here.given["eda"]["project"] == "demo"
    runner.run(tiny)
    assert here.given["eda"]["project"] == str(tiny.folder / "project.yaml")


def test_a_folder_holding_another_projects_unfinished_run_is_computed_anew(
    tiny: Charter, here: Here, tmp_path: Path
) -> None:
    run = runner.run(tiny, run_dir=tmp_path / "run", overrides={"poc": {"mood": "raises"}})
    here.names()
    other = make(tmp_path / "other")
    other.file.write_text(CHARTER.replace("Tiny", "Other"))
    runner.run(charters.read(other.file), run_dir=run, overrides={"eda": {"value": 2}})
    assert here.names() == ["eda"]
    follows_the_contract(run)
    assert decision.read(run)["run"]["project"] == "Other"
    assert gate_of(run, "explainability.additivity")["status"] == "skip", "what the first project found does not count"


@pytest.mark.parametrize("other", ["another project", "a smoke run"])
def test_a_finished_run_of_anything_is_not_written_again(tiny: Charter, here: Here, tmp_path: Path, other: str) -> None:
    run = runner.run(tiny, run_dir=tmp_path / "run")
    before = content_of(run)
    if other == "another project":
        tiny.file.write_text(CHARTER.replace("Tiny", "Other"))
    with pytest.raises(UserError, match="never written again"):
        runner.run(charters.read(tiny.file), run_dir=run, smoke=other == "a smoke run")
    assert content_of(run) == before


# one stage


def test_one_stage_takes_its_upstream_from_the_run(tiny: Charter, here: Here) -> None:
    runner.run(tiny, overrides={"eda": {"mood": "happy"}})
    here.names()
    run = runner.run(tiny, only="poc", force=True)
    assert here.names() == ["poc"]
    assert statuses(run) == {"eda": "kept", "poc": "done", "explainability": "not run", "handoff": "not run"}
    assert gate_of(run, "eda.missing_critical")["status"] == "pass"
    assert gate_of(run, "explainability.additivity")["message"] == "Out of date: run this stage again."
    follows_the_contract(run)
    runner.run(tiny)
    assert here.names() == ["eda", "poc", "explainability", "handoff"], "the mood of eda is another now"


def test_one_stage_that_is_up_to_date_changes_nothing(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny)
    here.names()
    assert runner.run(tiny, only="poc") == run
    assert here.names() == []


def test_one_stage_alone_in_a_new_run_works_without_upstream(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, only="explainability")
    assert here.names() == ["explainability"]
    assert gate_of(run, "explainability.additivity")["status"] == "pass"
    assert gate_of(run, "eda.missing_critical")["message"] == "Not run in this run."
    runner.run(tiny, only="handoff")
    assert statuses(run) == {"eda": "not run", "poc": "not run", "explainability": "kept", "handoff": "done"}


def test_one_stage_does_not_hide_that_another_broke(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, overrides={"eda": {"mood": "raises"}})
    runner.run(tiny, only="poc")
    assert statuses(run)["eda"] == "failed"
    assert record_of(run)["error"]["name"] == "IndexError"
    assert gate_of(run, "eda.missing_critical")["status"] == "pass"
    assert gate_of(run, "eda.target")["message"] == "The stage broke before this question."
    (run / "verdict.json").write_text("{")
    runner.run(tiny, only="poc")
    assert record_of(run)["error"]["name"] == "Stopped", "why is not known any more"
    follows_the_contract(run)


def test_a_stage_whose_upstream_has_changed_is_out_of_date(tiny: Charter, here: Here) -> None:
    runner.run(tiny)
    (tiny.folder / "table.csv").write_text("y\n2\n")
    run = runner.run(tiny, only="poc")
    assert statuses(run) == {"eda": "not run", "poc": "done", "explainability": "not run", "handoff": "not run"}
    assert gate_of(run, "eda.missing_critical")["status"] == "skip"


# stopped


def test_stopped_in_the_middle_it_writes_down_what_it_has(tiny: Charter, here: Here) -> None:
    here.interrupt = "poc"
    with pytest.raises(KeyboardInterrupt):
        runner.run(tiny)
    run = store.newest_in(tiny.folder)
    assert run is not None
    assert here.names() == ["eda", "poc"]
    assert statuses(run) == {"eda": "done", "poc": "failed", "explainability": "not run", "handoff": "not run"}
    assert gate_of(run, "handoff.reload")["message"] == "Not run yet."
    follows_the_contract(run)
    here.interrupt = ""
    assert runner.run(tiny) == run
    assert here.names() == ["poc", "explainability", "handoff"]


def test_one_stage_stopped_keeps_the_others(tiny: Charter, here: Here) -> None:
    runner.run(tiny)
    here.interrupt = "poc"
    with pytest.raises(KeyboardInterrupt):
        runner.run(tiny, only="poc", force=True)
    run = store.newest_in(tiny.folder)
    assert run is not None
    assert (statuses(run)["eda"], statuses(run)["poc"]) == ("kept", "failed")
    follows_the_contract(run)


def test_a_run_can_be_read_while_it_runs(tiny: Charter, here: Here) -> None:
    seen: list[dict[str, str]] = []

    class Watching(runner.Progress):
        def started(self, node: Node) -> None:
            run = store.newest_in(tiny.folder)
            assert run is not None
            follows_the_contract(run)
            seen.append(statuses(run))

    runner.run(tiny, progress=Watching())
    assert [list(now.values()).count("done") for now in seen] == [0, 1, 2, 3]


def test_a_killed_stage_leaves_no_verdict_of_the_run_before(tiny: Charter, here: Here) -> None:
    """What a run has taken over from a finished one is not its own result."""

    class Killed(runner.Progress):
        def started(self, node: Node) -> None:
            raise MemoryError

    first = runner.run(tiny)
    with pytest.raises(MemoryError):
        runner.run(tiny, only="poc", force=True, progress=Killed())
    run = store.newest_in(tiny.folder)
    assert run not in (None, first)
    facts = decision.read(run)["run"]
    assert (facts["id"], facts["state"]) == (run.name, "running")
    assert statuses(run) == {"eda": "kept", "poc": "not run", "explainability": "kept", "handoff": "kept"}


def test_progress_hears_every_step(tiny: Charter, here: Here) -> None:
    heard: list[tuple[Any, ...]] = []

    class Listening(runner.Progress):
        def started(self, node: Node) -> None:
            heard.append(("started", node.stage))

        def cell(self, node: Node, done: int, total: int) -> None:
            heard.append((node.stage, done, total))

        def ended(self, node: Node, record: Mapping[str, Any]) -> None:
            heard.append(("ended", node.stage, record["status"]))

    runner.run(tiny, overrides={"eda": {"value": 2}}, progress=Listening())
    assert heard[:2] == [("started", "eda"), ("eda", 0, 7)]
    expected = [("ended", "eda", "done"), *(("ended", name, "not run") for name in ALL[1:])]
    assert heard[-4:] == expected
    heard.clear()
    runner.run(tiny, overrides={"eda": {"value": 2}}, progress=Listening())
    assert heard == [("ended", "eda", "kept"), *expected[1:]], "nothing is called kept that is not there"


# before anything is executed


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"edaa": {"seed": 1}}, "no such stage"),
        ({"eda": {"sede": 1}}, "did you mean `seed`?"),
        ({"eda": {"project": "demo"}}, "--project"),
        ({"poc": {"run_dir": "x"}}, "--run-dir"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_runs(
    tiny: Charter, here: Here, overrides: dict[str, Any], says: str
) -> None:
    with pytest.raises(UserError) as caught:
        runner.run(tiny, overrides=overrides)
    assert says in str(caught.value)
    assert here.names() == []
    assert not (tiny.folder / "runs").exists()


@pytest.mark.parametrize("name", ["table.csv", "table.csv/below", "notebooks", "notebooks/../notebooks"])
def test_a_run_folder_that_cannot_be_one_is_refused(tiny: Charter, here: Here, name: str) -> None:
    before = {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()}
    with pytest.raises(UserError, match="run folder") as caught:
        runner.run(tiny, run_dir=tiny.folder / name)
    assert "--run-dir" in caught.value.details["fix"]
    assert {path: path.read_bytes() for path in tiny.folder.rglob("*") if path.is_file()} == before


def test_missing_notebooks_are_a_message(tiny: Charter, here: Here) -> None:
    """Those that lab2live ships are not executed in their place: the project's own may say something else."""
    (tiny.folder / "notebooks" / "04_handoff.ipynb").unlink()
    with pytest.raises(UserError, match="notebooks are not where"):
        runner.run(tiny)


def test_a_named_folder_elsewhere_is_not_the_newest_run(tiny: Charter, here: Here, tmp_path: Path) -> None:
    first = runner.run(tiny)
    runner.run(tiny, run_dir=tmp_path / "elsewhere")
    assert store.newest_in(tiny.folder) == first
    runner.run(tiny, run_dir=tiny.folder / "runs" / "mine")
    assert store.newest_in(tiny.folder) == tiny.folder / "runs" / "mine"


def test_smoke_is_small_and_says_so(tiny: Charter, here: Here) -> None:
    run = runner.run(tiny, smoke=True, overrides={"poc": {"sample": 99}})
    assert here.given["eda"]["sample"] == runner.SMOKE["sample"]
    assert here.given["poc"]["sample"] == 99, "what is asked for by name comes first"
    assert "folds" not in here.given["poc"], "only what the notebook declares"
    content = decision.read(run)
    assert content["run"]["smoke"] is True
    assert content["decision"] == "conditional"
    assert any("--smoke" in reason for reason in content["reasons"])


def test_kernels_find_the_projects_own_code_first(tiny: Charter, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["theirs", str(tiny.folder / "src")]))
    runner.run(tiny)
    expected = [str(charters.PACKAGE_FOLDER.parent), str(tiny.folder / "src"), "theirs"]
    assert os.environ["PYTHONPATH"].split(os.pathsep) == expected


@pytest.mark.parametrize("node", JOURNEY, ids=lambda node: node.stage)
def test_a_stage_needs_only_what_comes_before_it(node: Node) -> None:
    assert set(node.needs) <= set(STAGES[: STAGES.index(node.stage)])


def test_parameters_are_read_without_running_the_cell(tmp_path: Path) -> None:
    cell = new_code_cell("a: int = 3  # rows\nb = 'x'\nc: str = None\nd: int", metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[new_code_cell("z = 1 / 0"), cell]), tmp_path / "n.ipynb")
    assert notebooks.declared_parameters(tmp_path / "n.ipynb") == {"a": 3, "b": "x", "c": None}


def test_a_cell_whose_kernel_died_is_found_whether_or_not_it_got_its_number() -> None:
    cells = notebook(JOURNEY[0]).cells
    for position, cell in enumerate(cells):
        if cell.cell_type == "code":
            cell.execution_count = position if position <= 3 else None
    for count in (None, 5):
        cells[5].execution_count = count
        found = notebooks._locate(None, cells, last=5)
        assert found is not None
        assert (found["name"], found["cell"]) == ("DeadKernelError", 5)


def test_two_runs_at_once_do_not_meet_in_one_folder(tiny: Charter, here: Here, tmp_path: Path) -> None:
    first = runner.run(tiny, overrides={"poc": {"mood": "raises"}})
    with store.claim(first):
        for named in (None, first):
            with pytest.raises(UserError, match="Another process") as caught:
                runner.run(tiny, run_dir=named)
            assert "--run-dir" in caught.value.details["fix"]
        assert runner.run(tiny, run_dir=tmp_path / "another") != first
    assert runner.run(tiny) == first, "free again"


# notebooks of the project's own


def own_notebook(project: Charter, gate: str = "own.calls", mood: str = "fine") -> Charter:
    node = Node("own_analysis", "notebooks/06_own_analysis.ipynb", "Own analysis", ("poc",))
    content = notebook(node)
    content.cells[3] = new_code_cell(show(gate))
    content.cells[1].source = content.cells[1].source.replace('"fine"', repr(mood))
    nbformat.write(content, project.folder / node.notebook)
    entry = "notebooks: [{file: notebooks/06_own_analysis.ipynb, needs: [poc]}]\n"
    project.file.write_text(CHARTER.replace("name: Tiny", "name: Tiny, package: tiny") + entry)
    package = project.folder / "src" / "tiny"
    package.mkdir(parents=True, exist_ok=True)
    gate_ = (
        "Gate(id='own.calls', requirement='B3', title='Calls', question='Few?', better='lower', fail=0, must_pass=True)"
    )
    (package / "__init__.py").write_text("")
    (package / "gates.py").write_text(f"from lab2live import Gate\nGATES = [{gate_}]\n")
    for name in [name for name in sys.modules if name.split(".")[0] == "tiny"]:
        del sys.modules[name]
    return charters.read(project.file)


def test_an_own_notebook_runs_after_the_journey_and_its_gate_decides(tiny: Charter, here: Here) -> None:
    charter = own_notebook(tiny)
    run = runner.run(charter)
    assert here.names() == [*ALL, "own_analysis"]
    assert gate_of(run, "own.calls")["status"] == "pass"
    follows_the_contract_of_own(run)
    again = runner.run(charter, overrides={"own_analysis": {"value": 2}})
    assert here.names() == ["own_analysis"]
    content = decision.read(again)
    assert (content["decision"], gate_of(again, "own.calls")["stage"]) == ("no-go", "own_analysis")
    assert "06_own_analysis.html" in (again / "index.html").read_text()


def test_own_notebooks_of_a_charter_alone_lie_beside_it(
    tiny: Charter, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charter, shipped = own_notebook(tiny), tmp_path / "shipped" / "notebooks"
    shipped.mkdir(parents=True)
    for node in JOURNEY:
        (tiny.folder / node.notebook).rename(shipped / node.name)
    monkeypatch.setattr(notebooks, "SHIPPED", shipped)
    run = runner.run(charter)
    assert here.names() == [*ALL, "own_analysis"]
    follows_the_contract_of_own(run)


def follows_the_contract_of_own(run: Path) -> None:
    record = record_of(run, "own_analysis")
    assert (record["own"], record["status"], record["html"]) == (True, "done", "06_own_analysis.html")
    assert [gate["id"] for gate in decision.read(run)["gates"]] == [*CATALOGUE, "own.calls"]


@pytest.mark.parametrize(("gate", "mood"), [("own.cals", "fine"), ("own.calls", "raises")])
def test_an_own_notebook_that_breaks_leaves_the_rest_standing(tiny: Charter, here: Here, gate: str, mood: str) -> None:
    run = runner.run(own_notebook(tiny, gate, mood))
    assert here.names() == [*ALL, "own_analysis"]
    assert statuses(run) == {**dict.fromkeys(STAGES, "done"), "own_analysis": "failed"}
    assert decision.exit_code(decision.read(run)) == 1


def test_own_gates_that_cannot_be_read_are_a_condition_and_the_rest_stands(tiny: Charter, here: Here) -> None:
    charter = own_notebook(tiny)
    (tiny.folder / "src" / "tiny" / "gates.py").write_text("GATES = 3\n")
    tiny.file.write_text(tiny.file.read_text().partition("notebooks:")[0])
    run = runner.run(charters.read(charter.file))
    content = decision.read(run)
    assert set(statuses(run).values()) == {"done"}
    assert "gates.py" in content["run"]["problems"][0]
    assert any(reason.startswith("`GATES` has to be a list of gates") for reason in content["reasons"])


TWO = """
from lab2live import Gate
asks = {"requirement": "B3", "question": "Few?", "better": "lower", "fail": 0}
GATES = [Gate(id="own.calls", title="Calls", must_pass=True, **asks), %s]
"""


@pytest.mark.parametrize(
    "wrong",
    ["Gate(id='eda.signal', title='Taken', **asks)", "Gate(id='own.calls', title='Twice', **asks)", "3"],
)
def test_one_own_gate_that_cannot_be_used_does_not_take_the_others_with_it(
    tiny: Charter, here: Here, wrong: str
) -> None:
    charter = own_notebook(tiny)
    (tiny.folder / "src" / "tiny" / "gates.py").write_text(TWO % wrong)
    run = runner.run(charter, overrides={"own_analysis": {"value": 2}})
    assert gate_of(run, "own.calls")["status"] == "fail"
    content = decision.read(run)
    assert content["decision"] == "no-go"
    assert "gates.py" in content["run"]["problems"][0]


@pytest.mark.parametrize("limits", ["own.calls: {warn: 9}", "own.cals: {warn: 9}"])
def test_limits_of_an_own_gate_that_cannot_be_are_told_and_cost_no_verdict(
    tiny: Charter, here: Here, limits: str
) -> None:
    charter = own_notebook(tiny)
    charter.file.write_text(charter.file.read_text() + f"gates: {{{limits}}}\n")
    run = runner.run(charters.read(charter.file))
    content = decision.read(run)
    assert gate_of(run, "own.calls")["status"] == "pass"
    assert "project.yaml" in content["run"]["problems"][0] and "own.cal" in content["run"]["problems"][0]
    assert content["decision"] == "conditional"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("{file: notebooks/06_gone.ipynb}", "is not there"),
        ("{file: notebooks/02_poc.ipynb}", "one stage"),
        ("{file: notebooks/06_own_analysis.ipynb, needs: [pco]}", "did you mean `poc`"),
    ],
)
def test_a_notebook_that_the_charter_names_wrongly_is_refused(tiny: Charter, here: Here, entry: str, says: str) -> None:
    tiny.file.write_text(CHARTER + f"notebooks: [{entry}]\n")
    with pytest.raises(UserError) as caught:
        runner.run(charters.read(tiny.file))
    assert says in str(caught.value)
    assert here.names() == []
