"""Generating projects: what comes out, whatever the answers, and what is refused."""

import ast
import compileall
import hashlib
import importlib.metadata
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from .conftest import HOSTILE, IDENTIFIER, MOMENT, ROOT, TARGET, git, run_own_tests

ROOT_FILES = {
    *(".gitattributes", ".gitignore", ".pre-commit-config.yaml", ".devcontainer/devcontainer.json"),
    *(".jupyter/jupyter_lab_config.json", ".jupyter/labconfig/default_setting_overrides.json"),
    *("LICENSE", "Makefile", "README.md", "project.yaml", "pyproject.toml", "environment.yml"),
    *("requirements.lock", "requirements-own.in", "requirements-own.lock"),
    *("data/README.md", "tests/reference/README.md", "tests/test_package.py", "notebooks/06_own_analysis.ipynb"),
}
PACKAGE_FILES = ("__init__", "features", "rules", "models", "gates", "checks")
# What is left by a bake that could not look at the table.
NOTE = ".lab2live.json"
CI_FILES = {
    "github": {".github/workflows/ci.yml", ".github/workflows/monitoring.yml", "ci/monitor.sh"},
    "gitlab": {".gitlab-ci.yml", "ci/monitor.sh"},
    "none": set(),
}
BRANCHES = ["demo", "hostile", "regression", "classes", "sql", "simulate"]


def tree(folder):
    """Every file below a folder with its bytes, without what tools leave behind."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not {"__pycache__", ".git"} & {*path.parts})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != ".cruft.json"}


def texts(folder):
    """The text files among them that are the template's own: no notebooks, no wheel, no lock."""
    found = tree(folder).items()
    left_out = (
        "notebooks/",
        "tests/reference/0",
        "tests/reference/p",
        "tests/reference/9",
        "vendor/",
        "requirements.lock",
    )
    return {name: content.decode() for name, content in found if not name.startswith(left_out)}


def wheel_of(project):
    (wheel,) = (project / "vendor").iterdir()
    return wheel


def charter(project):
    return yaml.safe_load((project / "project.yaml").read_text(encoding="utf-8"))


def refusal(bake, output, **answers):
    """The message with which answers are refused. Nothing may be left behind."""
    output.mkdir(exist_ok=True)
    before = sorted(output.parent.rglob("*"))
    with pytest.raises(SystemExit) as stop:
        bake(output, **answers)
    assert sorted(output.parent.rglob("*")) == before
    message = stop.value.code
    assert "found:" in message
    assert "fix:" in message
    return message


# --- what comes out -------------------------------------------------------------------------------------------------


def test_the_defaults_give_the_demo_with_exactly_these_files(projects, repository):
    notebooks = [path.name for path in (repository / "notebooks").glob("*.ipynb")]
    own = [f"src/telecom_churn/{name}.py" for name in PACKAGE_FILES]
    copies = [f"{folder}/{name}" for folder in ("notebooks", "tests/reference") for name in notebooks]
    wheel = f"vendor/{wheel_of(projects['demo']).name}"
    assert set(tree(projects["demo"])) == {*ROOT_FILES, *CI_FILES["github"], wheel, *own, *copies}
    assert projects["demo"].name == "telecom-churn"


def test_a_project_is_small_and_all_its_python_is_the_users(projects):
    probe = 2  # the notebook that these tests add, and its reference
    for project in projects.values():
        files = tree(project)
        assert len(files) - probe <= 45
        code = {name: content.decode() for name, content in files.items() if name.endswith(".py")}
        assert sum(len(text.splitlines()) for text in code.values()) <= 400
        assert {name.split("/")[0] for name in code} == {"src", "tests"}


def test_a_project_on_own_data_has_no_reference_outputs_yet(projects):
    for branch in BRANCHES[1:]:
        assert [path.name for path in (projects[branch] / "tests/reference").iterdir()] == ["README.md"]


def test_a_choice_of_ci_leaves_no_file_and_no_folder_of_the_other(projects):
    assert (projects["demo"] / ".github/workflows/ci.yml").is_file()
    assert (projects["regression"] / ".gitlab-ci.yml").is_file()
    assert not (projects["regression"] / ".github").exists()
    assert not {".github", ".gitlab-ci.yml", "ci"} & {path.name for path in projects["classes"].iterdir()}


def test_the_lock_is_the_templates_and_pins_the_wheel_by_its_hash(projects, repository):
    wheels = {wheel_of(project).read_bytes() for project in projects.values()}
    assert len(wheels) == 1, "whatever the answers, the library is the same"
    for project in projects.values():
        head, rest = (project / "requirements.lock").read_text(encoding="utf-8").split("# This file", 1)
        assert f"# This file{rest}" == (repository / "requirements.lock").read_text(encoding="utf-8")
        version = re.fullmatch(r"lab2live-(\d+\.\d+\.\d+\+[0-9a-f]{8})-py3-none-any\.whl", wheel_of(project).name)[1]
        digest = hashlib.sha256(wheel_of(project).read_bytes()).hexdigest()
        assert head.splitlines()[1:] == [
            "--find-links ./vendor",
            f"lab2live=={version} \\",
            f"    --hash=sha256:{digest}",
        ]


def test_notebooks_are_stripped_as_git_would_and_references_keep_their_outputs(projects, repository, run):
    options = re.search(r"nbstripout (--.*)\"$", (projects["demo"] / "Makefile").read_text(encoding="utf-8"), re.M)[1]
    for notebook in (projects["demo"] / "notebooks").iterdir():
        text = notebook.read_text(encoding="utf-8")
        again = run("nbstripout", "--textconv", *shlex.split(options), notebook, cwd=projects["demo"])
        assert again.stdout == text
        nbformat.validate(nbformat.reads(text, as_version=4))
    for original in (repository / "notebooks").glob("*.ipynb"):
        assert (projects["demo"] / "tests/reference" / original.name).read_bytes() == original.read_bytes()


def test_the_demo_charter_is_the_one_the_template_is_tested_on(projects, repository):
    original = (repository / "src/lab2live/demo/project.yaml").read_text(encoding="utf-8").splitlines()
    baked = (projects["demo"] / "project.yaml").read_text(encoding="utf-8").splitlines()
    assert [pair for pair in zip(original, baked, strict=False) if pair[0] != pair[1]] == [
        ("  package: lab2live.demo", '  package: "telecom_churn"')
    ]
    assert baked[len(original) :][-1] == "  - {file: notebooks/06_own_analysis.ipynb, needs: [poc]}"
    for name in ("features.py", "rules.py", "models.py", "gates.py", "checks.py"):
        own = projects["demo"] / "src/telecom_churn" / name
        assert own.read_bytes() == (repository / "src/lab2live/demo" / name).read_bytes()


def test_answers_about_the_project_reach_the_demo_charter(bake):
    project = charter(bake(**HOSTILE))["project"]
    assert (project["name"], project["description"]) == (HOSTILE["project_name"], HOSTILE["business_problem"])
    assert project["owner"] == HOSTILE["author"]


@pytest.mark.parametrize("branch", BRANCHES[1:])
def test_the_demo_does_not_leak_into_other_projects(projects, branch):
    words = ["churn", "telecom", "customer_id", "tariff", "Okafor", "retention", "demo://", "EUR_", ": 8000", ": 60000"]
    for name, text in texts(projects[branch]).items():
        assert [word for word in words if word in text] == [], name


def test_hostile_answers_come_through_unchanged(projects, tables):
    project = projects["hostile"]
    written = charter(project)
    assert written["project"]["name"] == HOSTILE["project_name"]
    assert written["project"]["description"] == HOSTILE["business_problem"]
    assert written["project"]["owner"] == HOSTILE["author"]
    for question in ("customer_experience", "return_on_investment", "process_improvement"):
        assert written["business"][question]["answer"] == HOSTILE[question]
    prediction = written["prediction"]
    assert (prediction["target"], prediction["id_column"], prediction["time_column"]) == (TARGET, IDENTIFIER, MOMENT)
    (source,) = written["sources"]
    assert source == {
        "name": "hostile",
        "uri": f"{tables.as_posix()}/hostile.parquet",
        "key": IDENTIFIER,
        "access": "granted",
    }
    odd = ("líne\nbreak", "a\\b", "{{ cookiecutter.x }} {% if", '"')
    described = written["simulate"]["columns"]["hostile"]
    assert {IDENTIFIER, *odd, MOMENT, TARGET} <= {*described}
    assert described[TARGET] == {"type": "category", "values": ["no", "yes"]}
    assert tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["name"] == project.name
    assert HOSTILE["project_name"] in (project / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("branch", BRANCHES)
def test_every_charter_is_accepted_by_the_machinery(projects, branch):
    from lab2live.charter.loading import read

    assert (
        read(projects[branch] / "project.yaml").prediction.target == charter(projects[branch])["prediction"]["target"]
    )


def test_unanswered_questions_stay_open(projects):
    from lab2live.charter.loading import read

    asked = read(projects["regression"] / "project.yaml")
    assert asked.business.customer_experience.answer is None
    assert asked.business.value.cases_per_month is None
    assert not asked.team
    assert not asked.fallback


def test_a_relative_path_counts_from_where_the_user_stands(bake, tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tables)
    project = bake(tmp_path, data_source="file", data_path="kinds.csv", target="kind")
    assert charter(project)["sources"][0]["uri"] == f"{tables.as_posix()}/kinds.csv"


@pytest.mark.parametrize("address", ["https://example.org/data/My%20table.csv?x=1", "s3://bucket/a.parquet"])
def test_an_address_stays_as_it_is_and_is_not_looked_up(bake, address):
    project = bake(data_source="file", data_path=address, target="y")
    assert charter(project)["sources"][0]["uri"] == address


@pytest.mark.parametrize("branch", BRANCHES)
def test_no_template_syntax_is_left(projects, branch):
    odd = r"\{\{ cookiecutter\.x \}\} \{% if" if branch == "hostile" else "$^"  # the name of a column
    for name, text in texts(projects[branch]).items():
        text = re.sub(odd, "", text)
        assert not re.search(r"\{\{ ?cookiecutter|\{%|%\}|\{#", text), name
        assert name.startswith(".github/") or "{{" not in text.replace("${{", ""), name


# --- the generated code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_generated_code_is_clean(projects, branch, run):
    project = projects[branch]
    assert compileall.compile_dir(project, quiet=1, legacy=False)
    own = [*sorted({path.parent for path in project.glob("src/*/rules.py")}), project / "tests"]
    # by its own rules and by the template's; E501 because nobody can wrap the name of a column
    for rules in ([], ["--config", ROOT / "pyproject.toml", "--ignore", "E501"]):
        linted = run("ruff", "check", "--no-cache", "--extend-exclude", "*.ipynb", *rules, *own, cwd=project)
        assert linted.returncode == 0, linted.stdout
    formatted = run("ruff", "format", "--no-cache", "--diff", *own, cwd=project)
    assert formatted.returncode == 0, formatted.stdout


def test_the_tests_of_every_project_pass_right_away(projects, run, tmp_path):
    # and the references of the demo are held against its notebooks
    assert run_own_tests(run, list(projects.values()), tmp_path) == 9 * len(projects) + 1


def test_references_are_compared_with_the_notebooks_they_were_recorded_from(bake, run):
    command = ["python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "references"]
    project = bake()
    assert "1 passed" in run(*command, cwd=project).stdout

    notebook = project / "notebooks/99_probe.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("print(1", "print(2"), encoding="utf-8")
    changed = run(*command, cwd=project)
    assert changed.returncode == 1
    assert "these notebooks have changed since: lab2live record" in changed.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_explains_itself_and_does_not_take_a_no_go_for_an_error(bake, run):
    project = bake(environment="pip")

    def make(target):
        return subprocess.run(["make", target], cwd=project, capture_output=True, text=True)

    targets = re.findall(r"^  make (\w+)", make("help").stdout, re.MULTILINE)
    expected = ["help", "env", "run", "smoke", "test", "check", "lab", "record", "hooks", "lock", "update", "machinery"]
    assert targets == expected

    tool = project / ".venv/bin/lab2live"
    tool.parent.mkdir(parents=True)
    (project / ".venv/installed").write_text(f"{project}\n")
    for code, errors in ((0, 0), (2, 0), (1, 2)):
        tool.write_text(f"#!/bin/sh\nexit {code}\n")
        tool.chmod(0o755)
        assert [make("run").returncode, make("smoke").returncode] == [errors, errors]

    (project / ".venv/bin/pre-commit").symlink_to("/bin/true")
    hooks = make("hooks")
    assert hooks.returncode == 2
    assert "git init" in hooks.stdout and "not a git repository" in hooks.stderr, "git itself says what is wrong"
    git("init", "--quiet", cwd=project)
    assert make("hooks").returncode == 0


def features(project):
    return next(project.glob("src/*/features.py")).read_text(encoding="utf-8")


def generated(project, name):
    return runpy.run_path(str(next(project.glob(f"src/*/{name}.py"))))


def test_the_first_rule_is_picked_from_the_users_own_columns(projects):
    rule = generated(projects["hostile"], "rules")
    assert rule["COLUMN"] == "{{ cookiecutter.x }} {% if"
    assert 0 <= rule["BELOW"] < rule["MISSING"] < rule["ABOVE"] <= 1
    frame = pd.DataFrame({rule["COLUMN"]: ["0.9", 0.1, None, "many"]})
    expected = [rule["ABOVE"], rule["BELOW"], rule["MISSING"], rule["MISSING"]]
    assert rule["score"](frame).tolist() == expected


def test_the_first_rule_of_a_regression_answers_in_the_unit_of_the_target(projects):
    rule = generated(projects["regression"], "rules")
    assert rule["COLUMN"] == "age"
    assert rule["BELOW"] == pytest.approx(2.5, abs=0.3)
    assert rule["ABOVE"] == pytest.approx(7.5, abs=0.3)


def test_the_first_rule_for_several_classes_answers_with_classes(projects):
    rule = generated(projects["classes"], "rules")
    assert rule["COLUMN"] == "age" and rule["BELOW"] < rule["ABOVE"] and {rule["BELOW"], rule["ABOVE"]} < {1, 2, 3}
    assert rule["score"](pd.DataFrame({"age": [0.1, 0.9]})).tolist() == [rule["BELOW"], rule["ABOVE"]]


def test_own_code_and_the_notebooks_that_judge_it_use_the_same_names(projects):
    for branch in BRANCHES:
        ids = re.findall(r'id="(own\.\w+)"', next(projects[branch].glob("src/*/gates.py")).read_text(encoding="utf-8"))
        notebook = (projects[branch] / "notebooks/06_own_analysis.ipynb").read_text(encoding="utf-8")
        assert ids and all(f'run.show(\\"{one}\\"' in notebook for one in ids)


def test_the_first_rule_is_not_misled_by_a_sorted_file(bake, tmp_path):
    rows = [f"{'yes' if n < 3000 else 'no'},{n % 7},{n % 10 + (n < 3000)}" for n in range(10_000)]
    (tmp_path / "sorted.csv").write_text("\n".join(["left,noise,signal", *rows]))
    rule = generated(bake(data_source="file", data_path=str(tmp_path / "sorted.csv"), target="left"), "rules")
    assert rule["COLUMN"] == "signal"
    assert rule["MISSING"] == pytest.approx(0.3, abs=0.02)


def test_without_known_columns_the_rule_says_that_nothing_has_been_stated(projects):
    assert generated(projects["sql"], "rules")["score"](pd.DataFrame({"x": [1, 2]})).tolist() == [0.5, 0.5]


def test_faults_and_an_earlier_extract_are_offered_in_words_that_work(projects):
    project = projects["simulate"]
    text = (project / "project.yaml").read_text(encoding="utf-8")
    assert "    # snapshot:  " in text and "snapshot:  " in (projects["sql"] / "project.yaml").read_text(
        encoding="utf-8"
    )
    (offered,) = re.findall(r"^  # (faults: .*\])", text, re.M)
    assert charter(project)["simulate"].get("faults") is None
    (project / "faulty.yaml").write_text(text.replace(f"  # {offered}", f"  {offered}"), encoding="utf-8")
    try:
        subprocess.run(
            [sys.executable, "-m", "lab2live", "simulate", "faulty.yaml", "data/faulty"],
            cwd=project,
            check=True,
        )
        (planted,) = json.loads((project / "data/faulty/truth.json").read_text(encoding="utf-8"))["faults"]
        assert planted["kind"] == "copied_rows" and planted["rows"] == 60
    finally:
        (project / "faulty.yaml").unlink()
        shutil.rmtree(project / "data/faulty", ignore_errors=True)


def test_without_data_the_rule_the_features_and_the_charter_are_about_the_same_simulated_columns(projects, bake):
    rule = generated(projects["simulate"], "rules")
    columns = charter(projects["simulate"])["sources"][0]["columns"]
    assert rule["COLUMN"] in columns
    assert rule["score"](pd.DataFrame({rule["COLUMN"]: [1, 100, None]})).tolist() == [115, 80, 100]
    assert set(generated(projects["simulate"], "features")["INPUTS"]) == set(columns) - {"outcome"}
    own = {"target": "Amount", "id_column": "contacts", "time_column": "months_known", "positive_class": "late"}
    mine = charter(bake(data_source="simulate", **own))
    assert list(mine["sources"][0]["columns"]) == ["contacts", "months_known", "segment", "online", "Amount"]
    assert list(mine["simulate"]["effects"]) == ["segment", "online"]


def test_types_found_in_the_table_promise_nothing_and_no_value_is_written_down(bake, tmp_path):
    header = "id,age,zip,vip,joined,segment,note,y"
    rows = [
        f"C{n},{n / 7},0{n:04d},{str(n % 2 == 0).lower()},2026-01-{n % 28 + 1:02d},{'ab'[n % 2]},n {n},"
        f"{['early', 'late'][n > 30]}"
        for n in range(60)
    ]
    (tmp_path / "all.csv").write_text("\n".join([header, *rows]))
    answers = {"data_source": "file", "data_path": str(tmp_path / "all.csv"), "target": "y", "id_column": "id"}
    found = charter(bake(**answers))
    assert "columns" not in found["sources"][0], "nothing is declared that nobody declared"
    told = found["simulate"]["columns"]["all"]
    kinds = ["id", "number", "text", "category", "date", "category", "text", "category"]
    assert {name: column["type"] for name, column in told.items()} == dict(zip(header.split(","), kinds, strict=True))
    assert {name for name, column in told.items() if set(column) != {"type"}} == {"y"}
    assert told["y"]["values"] == ["early", "late"]
    assert all(value in (0.8, -0.8) for value in found["simulate"]["effects"].values())


def test_the_small_table_of_the_generated_tests_has_every_input_column(bake, projects, run, tmp_path):
    name = "a column with a name so long that no line of code would hold it beside its values, " * 2 + "or"
    rows = [
        f"C{n},{n / 7},{'abc'[n % 3]}-secret,{n % 9},2026-01-{n % 28 + 1:02d},{['early', 'late'][n > 30]}"
        for n in range(60)
    ]
    (tmp_path / "all.csv").write_text("\n".join([f'id,age,word,"{name}",joined,y', *rows]))
    project = bake(data_source="file", data_path=str(tmp_path / "all.csv"), target="y", id_column="id")
    inputs = ["age", "word", name, "joined"]
    text = (project / "tests/test_package.py").read_text(encoding="utf-8")
    assert "secret" not in text
    frame = re.search(r"^FRAME = pd.DataFrame\((\s+{.*?^    }),", text, re.S | re.M)[1]
    assert list(ast.literal_eval(frame.strip())) == inputs
    assert run("ruff", "format", "--no-cache", "--diff", project / "tests", cwd=project).returncode == 0

    own = next(project.glob("src/*/features.py"))
    text = own.read_text(encoding="utf-8")
    # and a column may be left out
    text = text.replace('.sum(axis="columns"))', ".sum(axis=\"columns\")).drop(columns=['joined', 'word'])")
    more = "return frame.assign(older=pd.to_numeric(frame['age']) + 1, year=frame['joined'].str[:4], "
    own.write_text(text.replace("return frame.assign(", more), encoding="utf-8")
    done = run("python", "-m", "pytest", "-q", cwd=project)
    assert done.returncode == 0, done.stdout


def test_features_never_look_at_the_target_the_identifier_or_the_time(projects):
    inputs = generated(projects["hostile"], "features")["INPUTS"]
    assert not {TARGET, IDENTIFIER, MOMENT} & {*inputs} and "{{ cookiecutter.x }} {% if" in inputs
    said = {branch: features(projects[branch]) for branch in ("hostile", "regression")}
    assert "to be left out: the target, the identifier, the time of recording.\nINPUTS" in said["hostile"]
    assert "to be left out: the target.\nINPUTS" in said["regression"]
    add_features = generated(projects["sql"], "features")["add_features"]
    assert add_features(pd.DataFrame({"a": [None, 1], "y": [None, None]}))["missing_answers"].tolist() == [1, 0]


ROWS = [(n, ["x", "z"][n % 3 == 0], ["no", "yes"][n % 2]) for n in range(3, 60)]


@pytest.mark.parametrize(
    ("content", "target"),
    [
        ("a;b;y\n" + "".join(f"{n},5;{b};{y}\n" for n, b, y in ROWS), "y"),
        ("Exported on Monday\n\na,b,y\n" + "".join(f"{n}.5,{b},{y}\n" for n, b, y in ROWS), "y"),
        ("sep=;\na;b;y\n" + "".join(f"{n};{b};{y}\n" for n, b, y in ROWS), "y"),
        (("a,b,y\n" + "".join(f"{n}.5,é{b},{y}\n" for n, b, y in ROWS)).encode("utf-16"), "y"),
        ("a, b, y\n" + "".join(f"{n}.5, {b}, {y}\n" for n, b, y in ROWS), "y"),
        ("Age,age,y\n" + "".join(f"{n}.5,{b},{y}\n" for n, b, y in ROWS), "y"),
    ],
    ids=["semicolons", "title lines", "sep=", "utf-16", "blanks after commas", "names that differ in case only"],
)
def test_the_bake_reads_a_file_as_the_run_does(bake, tmp_path, content, target):
    from lab2live.charter.loading import read
    from lab2live.data.sources import tables

    path = tmp_path / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    project = bake(data_source="file", data_path=str(path), target=target)
    table = tables.modelling_table(read(project / "project.yaml"))
    assert {*generated(project, "features")["INPUTS"]} <= {*table.columns} - {target}
    scores = generated(project, "rules")["score"](generated(project, "features")["add_features"](table))
    assert np.isfinite(scores).all()


def test_the_positive_class_decides_what_a_high_score_means(bake, tables):
    answers = {"data_source": "file", "data_path": f"{tables}/hostile.parquet", "target": TARGET}
    for given, rises in (("", True), ("yes", True), ("no", False)):
        rule = generated(bake(**answers, positive_class=given), "rules")
        assert (rule["ABOVE"] > rule["BELOW"]) is rises


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["😀", "Pandas", "statistics", "3 little pigs", "class", "日本 2", "con", "x" * 300])
def test_any_project_name_has_usable_defaults(bake, name):
    project = bake(project_name=name)
    assert charter(project)["project"]["name"] == name
    assert len(project.name) <= 64


@pytest.mark.parametrize(
    "slug", ["../x", "a/b", "/tmp/x", "..", ".", "", "a b", "a\\b", "nul", "-x", "x.", "é", "x" * 65]
)
def test_a_slug_that_is_no_plain_folder_name_is_refused(bake, tmp_path, slug):
    assert "project_slug:" in refusal(bake, tmp_path / "out", project_slug=slug)


@pytest.mark.parametrize(
    "name", ["", "2x", "a-b", "class", "None", "é", "a.b", "../x", "x y", "_x", "x" * 65, "CON", "com1"]
)
def test_a_package_name_that_python_cannot_import_is_refused(bake, tmp_path, name):
    assert "package_name:" in refusal(bake, tmp_path / "out", package_name=name)


@pytest.mark.parametrize(
    "name", ["json", "pandas", "Pandas", "sklearn", "yaml", "lab2live", "tests", "notebooks", "data"]
)
def test_a_package_name_that_hides_another_module_is_refused(bake, tmp_path, name):
    message = refusal(bake, tmp_path / "out", package_name=name)
    assert f"package_name={name}_project" in message


def test_no_module_of_any_dependency_can_be_hidden(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "template")
    import lab2live_template_checks as checks

    locked = checks.distributions()
    owners = importlib.metadata.packages_distributions()
    modules = {name for name in owners if {re.sub(r"[-_.]+", "_", owner).lower() for owner in owners[name]} & locked}
    hidden = {name.lower() for name in modules if checks.is_package_name(name)} - checks.taken()
    for name in [name for name in sys.modules if name.startswith("lab2live_template")]:
        del sys.modules[name]
    assert hidden == set()


def test_a_name_has_one_line(bake, tmp_path):
    assert "project_name:" in refusal(bake, tmp_path / "out", project_name="two\nlines")


# --- data -----------------------------------------------------------------------------------------------------------


def test_own_data_need_a_path(bake, tmp_path):
    assert "data_path:" in refusal(bake, tmp_path / "out", data_source="file", target="y")
    assert "data_path:" in refusal(bake, tmp_path / "out", data_source="sql", target="y")


def test_a_file_that_is_not_there_is_refused(bake, tmp_path):
    message = refusal(bake, tmp_path / "out", data_source="file", data_path="nowhere.csv", target="y")
    assert "data_path: there is no such file" in message
    assert "nowhere.csv" in message


def test_a_target_is_needed(bake, tmp_path, tables):
    message = refusal(bake, tmp_path / "out", data_source="file", data_path=f"{tables}/visits.csv")
    assert "target:" in message


@pytest.mark.parametrize("field", ["target", "id_column", "time_column", "group_column"])
def test_an_unknown_column_is_refused_with_the_ones_that_are_there(bake, tmp_path, tables, field):
    answers = {"data_source": "file", "data_path": f"{tables}/visits.csv", "target": "visits"} | {field: "Visitz"}
    message = refusal(bake, tmp_path / "out", problem_type="regression", **answers)
    assert message.strip().startswith(f"{field}:")
    assert "age, noise, visits" in message


@pytest.mark.parametrize(
    ("answers", "content", "field", "said"),
    [
        ({}, "", "data_path", "cannot be read"),
        ({}, "a,b,y\n", "data_path", "no rows"),
        ({}, "PK\x03\x04" + "x" * 99, "data_path", "cannot be read"),
        ({}, "a,b,y\n1,2,no\n", "target", "nothing to tell apart"),
        ({}, "a,b,y\n1,2,NA\n1,2,\n", "target", "is empty in every row"),
        ({"problem_type": "regression"}, "a,b,y\n1,2,yes\n1,2,no\n", "target", "must be a number"),
        ({}, "a,b,y\n" + "".join(f"1,2,{n}\n" for n in range(21)), "target", "problem_type: regression"),
        ({}, "a,b,y\n" + "".join(f"1,2,c{n}\n" for n in range(21)), "target", "fewer classes"),
        ({"positive_class": "Layte"}, "a,b,y\n1,2,late\n1,2,in time\n", "positive_class", "in time or late"),
        ({"id_column": "y"}, "a,b,y\n1,2,no\n2,2,yes\n", "id_column", "to be predicted"),
        ({"time_column": "y"}, "a,b,y\n1,2,no\n2,2,yes\n", "time_column", "to be predicted"),
        ({"group_column": "y"}, "a,b,y\n1,2,no\n2,2,yes\n", "group_column", "to be predicted"),
        ({"time_column": "y", "data_source": "simulate", "data_path": ""}, "", "time_column", "to be predicted"),
    ],
)
def test_a_table_without_anything_to_learn_is_refused(bake, tmp_path, answers, content, field, said):
    path = tmp_path / "a.csv"
    path.write_text(content)
    given = {"data_source": "file", "data_path": str(path), "target": "y"} | answers
    message = refusal(bake, tmp_path / "out", **given)
    assert message.strip().startswith(f"{field}: ")
    assert said in message


@pytest.mark.parametrize("rows", [["none", "some"], ["no"] * 5000 + ["yes"] * 30, ["0", "1"]])
def test_the_class_the_business_acts_on_may_be_rare_and_said_in_another_word(bake, tmp_path, rows):
    (tmp_path / "a.csv").write_text("\n".join(["a,y", *[f"{n % 7}.5,{row}" for n, row in enumerate(rows * 30)][:5030]]))
    positive = "none" if "none" in rows else "yes"
    project = bake(data_source="file", data_path=str(tmp_path / "a.csv"), target="y", positive_class=positive)
    assert charter(project)["prediction"]["positive_class"] == positive


# --- a Python that has cookiecutter and nothing else ----------------------------------------------------------------


@pytest.fixture(scope="session")
def bare(tmp_path_factory):
    """A folder with what cookiecutter itself needs, of this environment, and with no other of its packages."""
    folder = tmp_path_factory.mktemp("bare")
    needed = {"cookiecutter", *TREE_OF_COOKIECUTTER}
    site = Path(nbformat.__file__).parents[1]
    for entry in site.iterdir():
        name = re.sub(r"[-_.]+", "-", entry.name.split("-")[0].removesuffix(".py")).lower()
        if name in needed:
            (folder / entry.name).symlink_to(entry)
    return folder


# Of `importlib.metadata.requires`, followed from cookiecutter, and what these are imported as.
TREE_OF_COOKIECUTTER = {
    *("arrow", "binaryornot", "certifi", "charset-normalizer", "click", "dateutil", "python-dateutil", "idna"),
    *("jinja2", "markdown-it", "mdurl", "markupsafe", "pygments", "pyyaml", "yaml", "-yaml", "requests", "rich"),
    *("python-slugify", "slugify", "six", "text-unidecode", "tzdata", "urllib3"),
}


def bake_bare(bare, repository, config, folder, *answers):
    """Bake in a Python of that kind; gives the project and how long it took."""
    command = [
        sys.executable,
        "-S",
        "-m",
        "cookiecutter",
        "--no-input",
        "--config-file",
        config,
        "-o",
        folder,
        repository,
    ]
    started = time.monotonic()
    kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(bare)}
    done = subprocess.run([*map(str, command), *answers], env=kept, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (project,) = (path for path in folder.iterdir() if path.is_dir())
    return project, time.monotonic() - started


def test_the_demo_is_baked_by_the_standard_library_alone_in_under_three_seconds(
    bare, repository, config, projects, tmp_path
):
    before = tree(repository)
    project, seconds = bake_bare(bare, repository, config, tmp_path)
    assert tree(project) == tree(projects["demo"])
    assert seconds < 3
    assert tree(repository) == before, "the template's repository stays as it is"


@pytest.mark.parametrize("branch", ["classes", "regression"])
def test_what_depends_on_the_table_comes_with_init_where_the_bake_could_not_look(
    bare, repository, config, projects, tables, run, tmp_path, branch
):
    answers = {
        "classes": ["data_path=kinds.csv", "target=kind", "package_name=k", "ci=none"],
        "regression": [
            *("data_path=visits.csv", "target=visits", "problem_type=regression", "package_name=r"),
            *("environment=pip", "ci=gitlab", "license=Proprietary"),
        ],
    }[branch]
    answers[0] = f"data_path={tables}/{answers[0].partition('=')[2]}"
    project, _ = bake_bare(bare, repository, config, tmp_path, "data_source=file", *answers)
    assert set(tree(project)) - set(tree(projects[branch])) == {NOTE}
    assert generated(project, "rules")["score"](pd.DataFrame({"age": [1.0]})).size == 1
    done = run("lab2live", "init", cwd=project)
    assert done.returncode == 0 and "project.yaml" in done.stdout, done.stderr
    assert tree(project) == tree(projects[branch])
    assert "nothing to fill in" in run("lab2live", "init", cwd=project).stdout


def test_init_never_touches_what_somebody_has_edited(bare, repository, config, tables, run, tmp_path):
    answers = ["data_source=file", f"data_path={tables}/kinds.csv", "target=kind"]
    project, _ = bake_bare(bare, repository, config, tmp_path, *answers)
    edited = [project / "project.yaml", *project.glob("src/*/rules.py")]
    for path in edited:
        path.write_text(path.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    before = [path.read_bytes() for path in edited]
    done = run("lab2live", "init", cwd=project)
    assert done.returncode == 0, done.stderr
    assert [path.read_bytes() for path in edited] == before
    assert generated(project, "features")["INPUTS"] == ["age", "flag"] or "features.py" in done.stdout


def test_init_says_what_is_wrong_and_can_be_asked_again(bare, repository, config, tables, run, tmp_path):
    answers = ["data_source=file", f"data_path={tables}/kinds.csv", "target=kindd"]
    project, _ = bake_bare(bare, repository, config, tmp_path, *answers)
    done = run("lab2live", "init", cwd=project)
    assert done.returncode == 1 and "prediction.target" in done.stderr and "age, flag, kind" in done.stderr
    assert (project / NOTE).is_file()
    text = (project / "project.yaml").read_text(encoding="utf-8")
    (project / "project.yaml").write_text(text.replace("kindd", "kind"), encoding="utf-8")
    assert run("lab2live", "init", cwd=project).returncode == 0
    assert generated(project, "rules")["COLUMN"] == "age"


# --- refused without a look at the table ----------------------------------------------------------------------------


def test_data_that_nobody_would_read_are_refused(bake, tmp_path, tables):
    assert "data_source:" in refusal(bake, tmp_path / "out", data_path=f"{tables}/visits.csv")
    assert "target:" in refusal(bake, tmp_path / "out", target="visits")


def test_a_password_is_not_written_down(bake, tmp_path):
    address = "postgresql://me:hunter2@host/sales"
    message = refusal(bake, tmp_path / "out", data_source="sql", data_path=address, target="y")
    assert "hunter2" not in message
    assert "${DB_PASSWORD}" in message


# --- every way to generate ------------------------------------------------------------------------------------------


def test_a_wrong_answer_on_the_command_line_is_one_message_and_exit_code_1(repository, run, tmp_path):
    done = run("cookiecutter", "--no-input", repository, "project_slug=../x", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("project_slug:")
    assert "Traceback" not in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path.parent / "x").exists()


def test_enter_at_every_question_gives_the_demo(repository, run, projects, tmp_path):
    done = run("cookiecutter", repository, cwd=tmp_path, input="\n" * 30)
    assert done.returncode == 0, done.stderr
    assert "Which column is to be predicted? (churned)" in done.stdout
    assert tree(tmp_path / "telecom-churn") == tree(projects["demo"])


def test_a_wrong_choice_names_the_choices_and_leaves_nothing(repository, run, tmp_path):
    done = run("cookiecutter", "--no-input", repository, "problem_type=clustering", cwd=tmp_path)
    assert done.returncode == 1
    assert "problem_type, but the choices are ['classification', 'regression']" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_question_on_the_command_line_is_refused(repository, run, tmp_path):
    (tmp_path / "a=b").mkdir()
    done = run("cookiecutter", "--no-input", "--output-dir", "a=b", repository, "traget=y", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip().startswith("traget: this answers no question")
    assert "target=y\n" in done.stderr
    assert list((tmp_path / "a=b").iterdir()) == []
    done = run("cookiecutter", "--no-input", repository, "DATA_SOURCE=my file", cwd=tmp_path)
    assert "data_source='my file'\n" in done.stderr
    done = run("cookiecutter", "--no-input", "--output-dir", "a=b", repository, "author=x=y", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_at_its_end_it_says_what_to_type_next(repository, run, tables, tmp_path):
    folder = tmp_path / "é's"
    words = ["data_source=file", f"data_path={tables}/kinds.csv", "target=kind"]
    for answers, asks in (([], False), ([*words, "project_slug=mine"], True)):
        done = run("cookiecutter", "--no-input", "-o", folder, repository, *answers, cwd=tmp_path, PYTHONUTF8="1")
        assert done.returncode == 0, done.stderr
        _, step, then, *more = done.stdout.splitlines()
        assert shlex.split(step) == ["cd", str(folder / ("mine" if asks else "telecom-churn"))]
        assert then.strip() == "make run"
        assert ["lab2live charter" in line for line in more] == [True] * asks
    latin = run(*("cookiecutter", "--no-input", "-f", "-o", folder, repository), cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert latin.returncode == 0, latin.stderr


def test_a_folder_that_exists_is_not_touched(repository, run, tmp_path):
    (tmp_path / "telecom-churn").mkdir()
    (tmp_path / "telecom-churn" / "mine.txt").write_text("mine")
    done = run("cookiecutter", "--no-input", repository, cwd=tmp_path)
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "telecom-churn").iterdir()] == ["mine.txt"]


def test_a_copy_of_the_template_folder_alone_says_what_is_missing(repository, bake, tmp_path):
    shutil.copytree(repository / "template", tmp_path / "alone")
    assert "template: the template is incomplete" in refusal(bake, tmp_path / "out", template=tmp_path / "alone")


@pytest.mark.parametrize("branch", ["demo", "file"])
def test_every_way_to_generate_gives_the_same_files(repository, bake, run, tables, tmp_path, branch):
    answers = {}
    if branch == "file":
        answers = {"data_source": "file", "data_path": f"{tables}/kinds.csv", "target": "kind"}
    expected = tree(bake(**answers))

    (tmp_path / "zip").mkdir()
    git("archive", "--prefix=lab2live/", f"--output={tmp_path}/zip/template.zip", "HEAD", cwd=repository)
    ways = {
        "directory": bake(tmp_path / "directory", directory="template", **answers),
        "zip": bake(tmp_path / "zip", template=tmp_path / "zip/template.zip", **answers),
        "git": bake(tmp_path / "git", template=f"git+file://{repository}", **answers),
    }
    words = ["--no-input", "--directory", "template", "--output-dir", tmp_path, "--extra-context", json.dumps(answers)]
    done = run("cruft", "create", repository, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    ways["cruft"] = tmp_path / ways["git"].name
    done = run(
        "cookiecutter", "--replay", "--directory", "template", "-o", tmp_path / "replay", repository, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    ways["replay"] = tmp_path / "replay" / ways["git"].name
    for way, project in ways.items():
        assert tree(project) == expected, way


def test_git_tracks_every_file_of_the_template(repository):
    tracked = git("-c", "core.quotePath=false", "ls-files", "template", cwd=repository).splitlines()
    assert {*tracked} == {name for name in tree(repository) if name.startswith("template/")}
