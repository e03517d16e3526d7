"""Generating projects: what comes out, whatever the answers, and what is refused."""

import ast
import compileall
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
from nbconvert.preprocessors import ClearOutputPreprocessor

from .conftest import HOSTILE, IDENTIFIER, MOMENT, ROOT, TARGET, commit, git, run_own_tests

ROOT_FILES = {
    *(".gitattributes", ".gitignore", ".pre-commit-config.yaml", ".devcontainer/devcontainer.json"),
    *(".jupyter/jupyter_lab_config.json", ".jupyter/labconfig/default_setting_overrides.json"),
    *("LICENSE", "Makefile", "README.md", "project.yaml", "pyproject.toml"),
    *("environment.yml", "requirements.in", "requirements.lock", "data/README.md", "tests/reference/README.md"),
    *("tests/test_features.py", "tests/test_notebooks.py", "tests/test_rules.py"),
}
CI_FILES = {
    "github": {".github/workflows/ci.yml", ".github/workflows/monitoring.yml", "ci/monitor.sh"},
    "gitlab": {".gitlab-ci.yml", "ci/monitor.sh"},
    "none": set(),
}
BRANCHES = ["demo", "hostile", "regression", "classes", "sql", "simulate"]


def tree(folder):
    """Every file below a folder with its bytes, without what tools leave behind."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != ".cruft.json"}


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
    machinery = [path for path in tree(repository) if path.startswith("src/lab2live/")]
    own = [f"src/telecom_churn/{name}.py" for name in ("__init__", "features", "rules")]
    copies = [f"{folder}/{name}" for folder in ("notebooks", "tests/reference") for name in notebooks]
    assert set(tree(projects["demo"])) == {*ROOT_FILES, *CI_FILES["github"], *machinery, *own, *copies}
    assert projects["demo"].name == "telecom-churn"


def test_a_project_on_own_data_has_no_reference_outputs_yet(projects):
    for branch in BRANCHES[1:]:
        assert [path.name for path in (projects[branch] / "tests/reference").iterdir()] == ["README.md"]


def test_a_choice_of_ci_leaves_no_file_and_no_folder_of_the_other(projects):
    assert (projects["demo"] / ".github/workflows/ci.yml").is_file()
    assert (projects["regression"] / ".gitlab-ci.yml").is_file()
    assert not (projects["regression"] / ".github").exists()
    assert not {".github", ".gitlab-ci.yml", "ci"} & {path.name for path in projects["classes"].iterdir()}


def test_the_canonical_rooms_are_copied_byte_for_byte(projects, repository):
    original, copy = tree(repository), tree(projects["hostile"])
    shared = [name for name in copy if name.startswith(("src/lab2live/", "requirements.")) or name == "environment.yml"]
    assert len(shared) > 10
    assert [name for name in shared if copy[name] != original[name]] == []


def test_notebooks_are_stripped_as_jupyter_would_and_references_keep_their_outputs(projects, repository):
    for original in (repository / "notebooks").glob("*.ipynb"):
        notebook, _ = ClearOutputPreprocessor().preprocess(nbformat.read(original, as_version=4), {})
        stripped = (projects["demo"] / "notebooks" / original.name).read_text(encoding="utf-8")
        assert stripped == nbformat.writes(notebook) + "\n"
        assert (projects["demo"] / "tests/reference" / original.name).read_bytes() == original.read_bytes()


def test_the_demo_charter_is_the_one_the_template_is_tested_on(projects, repository):
    original = (repository / "src/lab2live/demo/project.yaml").read_text(encoding="utf-8").splitlines()
    baked = (projects["demo"] / "project.yaml").read_text(encoding="utf-8").splitlines()
    assert [pair for pair in zip(original, baked, strict=True) if pair[0] != pair[1]] == [
        ("  package: lab2live.demo", '  package: "telecom_churn"')
    ]
    for name in ("features.py", "rules.py"):
        own = projects["demo"] / "src/telecom_churn" / name
        assert own.read_bytes() == (repository / "src/lab2live/demo" / name).read_bytes()


def test_answers_about_the_project_reach_the_demo_charter(bake):
    project = charter(bake(**HOSTILE))["project"]
    assert (project["name"], project["description"]) == (HOSTILE["project_name"], HOSTILE["business_problem"])
    assert project["owner"] == HOSTILE["author"]


@pytest.mark.parametrize("branch", BRANCHES[1:])
def test_the_demo_does_not_leak_into_other_projects(projects, branch):
    words = ["churn", "telecom", "customer_id", "tariff", "Okafor", "retention", "demo://", "EUR_", "8000", "60000"]
    for name, content in tree(projects[branch]).items():
        if not name.startswith(("src/lab2live/", "notebooks/", "requirements")):
            assert [word for word in words if word in content.decode()] == [], name


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
    described = source.pop("columns")
    assert source == {
        "name": "hostile",
        "uri": f"{tables.as_posix()}/hostile.csv",
        "key": IDENTIFIER,
        "access": "granted",
    }
    odd = ("líne\nbreak", "a\\b", "{{ cookiecutter.x }} {% if", '"')
    assert list(described) == [IDENTIFIER, *odd, MOMENT, TARGET]
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
    allowed = {"features.py": r"\{\{ cookiecutter\.x \}\} \{% if", "rules.py": r"\{\{ cookiecutter\.x \}\} \{% if"}
    named = ("test_rules.py", "test_features.py", "project.yaml")
    allowed |= dict.fromkeys(named, allowed["rules.py"]) if branch == "hostile" else {}
    for name, content in tree(projects[branch]).items():
        if not name.startswith(("src/lab2live/", "notebooks/", "requirements.lock")):
            text = re.sub(allowed.get(Path(name).name, "$^"), "", content.decode())
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
        linted = run("ruff", "check", "--no-cache", *rules, *own, cwd=project)
        assert linted.returncode == 0, linted.stdout
    formatted = run("ruff", "format", "--no-cache", "--diff", *own, cwd=project)
    assert formatted.returncode == 0, formatted.stdout


def test_the_tests_of_every_project_pass_right_away(projects, run, tmp_path):
    assert run_own_tests(run, list(projects.values()), tmp_path) == 11


def test_references_are_compared_with_the_notebooks_they_were_recorded_from(bake, projects, run):
    command = ["python", "-m", "pytest", "-p", "no:cacheprovider", "tests/test_notebooks.py", "-k", "probe or none"]
    project = bake()
    assert "2 passed" in run(*command, cwd=project).stdout

    notebook = project / "notebooks/99_probe.ipynb"
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("print(1", "print(2"), encoding="utf-8")
    changed = run(*command, cwd=project)
    assert changed.returncode == 1
    assert "re-record: lab2live record" in changed.stdout

    shutil.copyfile(notebook, project / "tests/reference/99_probe.ipynb")  # now the same sources, but never executed
    assert "this reference never ran, re-record" in run(*command, cwd=project).stdout

    nothing = run(*command, cwd=projects["regression"])
    assert nothing.returncode == 0
    assert "NOTHING IS COMPARED: no reference outputs yet" in nothing.stdout


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_explains_itself_and_does_not_take_a_no_go_for_an_error(bake, run):
    project = bake(environment="pip")

    def make(target):
        return subprocess.run(["make", target], cwd=project, capture_output=True, text=True)

    targets = re.findall(r"^  make (\w+)", make("help").stdout, re.MULTILINE)
    assert targets == ["help", "env", "run", "smoke", "test", "check", "lab", "record", "hooks", "lock"]

    tool = project / ".venv/bin/lab2live"
    tool.parent.mkdir(parents=True)
    (project / ".venv/installed").touch()
    for code, errors in ((0, 0), (2, 0), (1, 2)):
        tool.write_text(f"#!/bin/sh\nexit {code}\n")
        tool.chmod(0o755)
        assert [make("run").returncode, make("smoke").returncode] == [errors, errors]

    (project / ".venv/bin/pre-commit").symlink_to("/bin/true")
    hooks = make("hooks")
    assert hooks.returncode == 2
    assert "git init, then make hooks" in hooks.stdout and "fatal" not in hooks.stderr
    git("init", "--quiet", cwd=project)
    assert make("hooks").returncode == 0


def features(project):
    return next(project.glob("src/[!l]*/features.py")).read_text(encoding="utf-8")


def generated(project, name):
    return runpy.run_path(str(next(project.glob(f"src/[!l]*/{name}.py"))))


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
    assert (rule["COLUMN"], rule["BELOW"], rule["ABOVE"]) == ("age", 1, 3)
    assert rule["score"](pd.DataFrame({"age": [0.1, 0.9]})).tolist() == [1, 3]


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
            env={**os.environ, "PYTHONPATH": str(project / "src")},
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


def test_the_columns_of_a_table_are_described_by_what_they_hold(bake, tmp_path):
    header = "id,age,zip,vip,joined,segment,note,mixed,empty,y"
    rows = [
        f"C{n},{n}.5,0{n:04d},{str(n % 2 == 0).lower()},2026-01-{n % 28 + 1:02d},{'ab'[n % 2]},n {n},"
        f"{n if n % 3 else 'x'},,{['early', 'late'][n > 30]}"
        for n in range(60)
    ]
    (tmp_path / "all.csv").write_text("\n".join([header, *rows]))
    answers = {"data_source": "file", "data_path": str(tmp_path / "all.csv"), "target": "y"}
    found = charter(bake(**answers))
    kinds = {name: (told or {}).get("type") for name, told in found["sources"][0]["columns"].items()}
    expected = ["text", "number", None, "boolean", "date", "category", "text", None, None, "category"]
    assert kinds == dict(zip(header.split(","), expected, strict=True))
    assert found["sources"][0]["columns"]["y"]["values"] == ["early", "late"]
    assert all(value in (0.8, -0.8) for value in found["simulate"]["effects"].values())


def test_decimal_commas_are_numbers_where_the_comma_divides_nothing_else(bake, tmp_path):
    rows = ["1,5;7;0,1;1,5;x", "2,5;-2,25;007,5;word;y"]
    (tmp_path / "a.csv").write_text("\n".join(["all;mixed;code;words;y", *rows]))
    (tmp_path / "quoted.csv").write_text('all,y\n"1,5",x\n"2,5",y\n')
    kinds = {}
    for name in ("a", "quoted"):
        found = charter(bake(data_source="file", data_path=str(tmp_path / f"{name}.csv"), target="y"))
        kinds[name] = {name: told.get("type") for name, told in found["sources"][0]["columns"].items()}
    assert kinds["a"] == {"all": "number", "mixed": "number", "code": None, "words": None, "y": "category"}
    assert kinds["quoted"] == {"all": None, "y": "category"}


def test_the_small_table_of_the_generated_tests_has_every_input_column(bake, projects, run, tmp_path):
    name = "a column with a name so long that no line of code would hold it beside its values, " * 2
    rows = [f"C{n},{n},C-secret,{n},2026-01-{n % 28 + 1:02d},{['early', 'late'][n > 30]}" for n in range(60)]
    (tmp_path / "all.csv").write_text("\n".join([f'id,age,word,"{name}",joined,y', *rows]))
    project = bake(data_source="file", data_path=str(tmp_path / "all.csv"), target="y", id_column="id")
    inputs = ["age", "word", name, "joined"]
    for file in ("test_features", "test_rules"):
        text = (project / "tests" / f"{file}.py").read_text(encoding="utf-8")
        assert "secret" not in text
        frame = re.search(r"^FRAME = pd.DataFrame\((\s+{.*?^    }),", text, re.S | re.M)[1]
        assert list(ast.literal_eval(frame.strip())) == inputs
    assert run("ruff", "format", "--no-cache", "--diff", project / "tests", cwd=project).returncode == 0

    own = next(project.glob("src/[!l]*/features.py"))
    text = own.read_text(encoding="utf-8")
    # and a column may be left out
    text = text.replace('.sum(axis="columns"))', ".sum(axis=\"columns\")).drop(columns=['joined', 'word'])")
    more = "return frame.assign(older=pd.to_numeric(frame['age']) + 1, year=frame['joined'].str[:4], "
    own.write_text(text.replace("return frame.assign(", more), encoding="utf-8")
    done = run("python", "-m", "pytest", "-q", "tests/test_features.py", cwd=project, PYTHONPATH=project / "src")
    assert done.returncode == 0, done.stdout


def test_features_never_look_at_the_target_the_identifier_or_the_time(projects):
    inputs = generated(projects["hostile"], "features")["INPUTS"]
    assert inputs == ("líne\nbreak", "a\\b", "{{ cookiecutter.x }} {% if", '"')
    said = {branch: features(projects[branch]) for branch in ("hostile", "regression")}
    assert "to be left out: the target, the identifier, the time of recording.\nINPUTS" in said["hostile"]
    assert "to be left out: the target.\n# A column that names the case does not belong here" in said["regression"]
    add_features = generated(projects["sql"], "features")["add_features"]
    assert add_features(pd.DataFrame({"a": [None, 1], "y": [None, None]}))["missing_answers"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("semicolons.csv", "a;b;y\n1,5;2;no\n2,5;x;yes\n"),
        ("tabs.tsv", "a\tb\ty\n1\t2\tno\n2\tx\tyes\n"),
        ("pipes.txt", "a|b|y\n1|2|no\n2|x|yes\n"),
        ("latin.csv", "a,b,y\n1,é,no\n2,x,yes\n".encode("latin-1")),
        ("two rows.csv", "a,b,y\n1,1,no\n2,2,yes\n"),
        ("ragged.csv", "a,b,y\n1,2\n1,2,3,4\n2,3,yes\n"),
        ("twice.csv", "a,a,y\n1,2,yes\n3,4,no\n"),
        ("alone.csv", "y\n1\n2\n"),
    ],
)
def test_any_readable_table_can_be_baked(bake, tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    project = bake(data_source="file", data_path=str(path), target="y")
    frame = pd.DataFrame({"a": [1.0, None], "b": ["2", None], "y": [1, 0]})
    scores = generated(project, "rules")["score"](generated(project, "features")["add_features"](frame))
    assert np.isfinite(scores).all()


def test_the_positive_class_decides_what_a_high_score_means(bake, tables):
    answers = {"data_source": "file", "data_path": f"{tables}/hostile.csv", "target": TARGET}
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


@pytest.mark.parametrize("slug", ["pandas", "scikit-learn", "lab2live"])
def test_a_slug_that_would_replace_a_dependency_is_refused(bake, tmp_path, slug):
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
    modules = {name for name in owners if {checks.import_name(owner) for owner in owners[name]} & locked}
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


@pytest.mark.parametrize("field", ["target", "id_column", "time_column"])
def test_an_unknown_column_is_refused_with_the_ones_that_are_there(bake, tmp_path, tables, field):
    answers = {"data_source": "file", "data_path": f"{tables}/visits.csv", "target": "visits"} | {field: "Visitz"}
    message = refusal(bake, tmp_path / "out", **answers)
    assert message.strip().startswith(f"{field}:")
    assert "age, noise, visits" in message
    assert f"{field}=visits" in message


def test_a_column_that_is_proposed_can_be_typed(bake, run, repository, tmp_path):
    (tmp_path / "orders.csv").write_text("Order No, late ,x\n1,yes,2\n2,no,1\n")
    words = ["--no-input", repository, "data_source=file", "data_path=orders.csv"]
    for typed, fix in (("late", "target=' late '"), ("' late ' id_column=order_no", "id_column='Order No'")):
        done = run("cookiecutter", *words, *shlex.split(f"target={typed}"), cwd=tmp_path)
        assert done.stderr.splitlines()[-1].removeprefix("  fix:").strip() == fix


def test_a_regression_on_text_is_refused(bake, tmp_path, tables):
    answers = {"data_source": "file", "data_path": f"{tables}/hostile.csv", "target": TARGET}
    assert "problem_type:" in refusal(bake, tmp_path / "out", **answers, problem_type="regression")


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x1f\x8b\x08broken"])
def test_a_file_that_is_no_table_is_refused(bake, tmp_path, content):
    path = tmp_path / ("broken.csv.gz" if content.startswith(b"\x1f") else "broken.csv")
    path.write_bytes(content)
    message = refusal(bake, tmp_path / "out", data_source="file", data_path=str(path), target="y")
    assert "data_path: this file cannot be read as a table" in message


@pytest.mark.parametrize(
    ("name", "content", "fix"),
    [
        ("old.xls", b"\xd0\xcf\x11\xe0", "save it as .xlsx or CSV"),
        ("a.json", b"{}", "export it as CSV or Parquet"),
        ("nothing", b"a,y\n1,2\n", "export it as CSV or Parquet"),
        ("sheet.csv", b"PK\x03\x04" + b"x" * 99, "rename it to end in .xlsx"),
        ("columns.TXT", b"PAR1" + b"x" * 99, "rename it to end in .parquet"),
    ],
)
def test_a_file_of_another_kind_is_refused(bake, tmp_path, name, content, fix):
    (tmp_path / name).write_bytes(content)
    message = refusal(bake, tmp_path / "out", data_source="file", data_path=str(tmp_path / name), target="y")
    assert message.strip().startswith("data_path: ")
    assert fix in message


@pytest.mark.parametrize("name", ["a.parquet", "a.XLSX", "a.db", "a.duckdb", "folder"])
def test_what_only_the_project_can_read_is_taken_as_it_is(bake, tmp_path, name):
    (tmp_path / name).mkdir() if name == "folder" else (tmp_path / name).touch()
    project = bake(data_source="file", data_path=str(tmp_path / name), target="y")
    assert charter(project)["sources"][0]["uri"] == (tmp_path / name).as_posix()
    assert "columns" not in charter(project)["sources"][0], "nothing is said of what was not read"


@pytest.mark.parametrize(
    ("answers", "content", "field", "said"),
    [
        ({}, "a,b,y\n", "data_path", "a header and no rows"),
        ({}, "a,b,y\n1,2,no\n", "target", "the same value in every row"),
        ({}, "a,b,y\n1,2,1\n1,2,1.0\n1,2,\n", "target", "the same value in every row"),
        ({}, "a,b,y\n1,2,NA\n1,2,\n", "target", "empty in every row"),
        ({"problem_type": "regression"}, "a,b,y\n1,2,NA\n1,2,\n", "target", "empty in every row"),
        ({}, "a,b,y\n" + "".join(f"1,2,{n}\n" for n in range(21)), "target", "problem_type=regression"),
        ({}, "a,b,y\n" + "".join(f"1,2,c{n}\n" for n in range(21)), "target", "fewer classes"),
        ({"positive_class": "Layte"}, "a,b,y\n1,2,late\n1,2,in time\n", "positive_class", "positive_class=late"),
        ({"positive_class": "2"}, "a,b,y\n1,2,1\n1,2,0\n", "positive_class", "one of 1, 0"),
        ({"id_column": "y"}, "a,b,y\n1,2,no\n2,2,yes\n", "id_column", "to be predicted"),
        ({"time_column": "y"}, "a,b,y\n1,2,no\n2,2,yes\n", "time_column", "to be predicted"),
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


@pytest.mark.parametrize(
    "rows",
    [
        ["1,none", "2,some"],  # a word that stands for nothing in other files
        ["1,no"] * 5000 + ["1,yes", "2,yes"],  # not in a sample of the rows
        ["1,0", "2,1"],  # said in another word
        ["1,no", "1,2,yes"],  # a line that the look at the table leaves out
        ["x" * 100_000 + ",no"] * 210 + ["1,yes"],  # behind what is looked at
    ],
)
def test_a_class_that_a_look_at_the_table_may_have_missed_is_no_reason_to_refuse(bake, tmp_path, rows):
    (tmp_path / "a.csv").write_text("\n".join(["a,y", *rows]))
    positive = "none" if "none" in rows[0] else "yes"
    project = bake(data_source="file", data_path=str(tmp_path / "a.csv"), target="y", positive_class=positive)
    assert charter(project)["prediction"]["positive_class"] == positive


def test_a_class_missing_from_all_of_many_rows_is_noticed(bake, tmp_path):
    (tmp_path / "a.csv").write_text("\n".join(["a,y", *["1,no", "2,yes"] * 5000]))
    answers = {"data_source": "file", "data_path": str(tmp_path / "a.csv"), "target": "y"}
    assert "one of no, yes" in refusal(bake, tmp_path / "out", **answers, positive_class="maybe")


def test_a_bake_reads_files_as_the_project_will():
    from lab2live.data.sources import csv, readers

    table = runpy.run_path(str(ROOT / "template/lab2live_template_table.py"))
    assert table["TEXT_FILES"] == csv.SUFFIXES
    assert table["OTHER_FILES"] == (".parquet", *readers.EXCEL, *readers.SQLITE, *readers.DUCKDB)
    assert list(table["BLANK"]) == csv.NULLS


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
    done = run("cookiecutter", repository, cwd=tmp_path, input="\n" * 20)
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


def test_an_update_renews_the_machinery_and_leaves_what_is_the_users(repository, run, tables, tmp_path):
    template = tmp_path / "lab2live"
    git("clone", "--quiet", repository, template, cwd=tmp_path)
    data = tmp_path / "data.csv"
    shutil.copyfile(tables / "kinds.csv", data)
    answers = {"data_source": "file", "data_path": "data.csv", "target": "kind", "project_slug": "mine"}
    words = ["--no-input", "--directory", "template", "--extra-context", json.dumps(answers)]
    assert run("cruft", "create", template, *words, cwd=tmp_path).returncode == 0
    project = tmp_path / "mine"
    assert json.loads((project / ".cruft.json").read_text())["context"]["cookiecutter"]["data_path"] == data.as_posix()

    features = project / "src/mine/features.py"
    features.write_text(features.read_text() + "\n# my own line\n")
    (project / "project.yaml").write_text((project / "project.yaml").read_text().replace("owner:", "owner: me", 1))
    (project / "tests/reference/01_mine.ipynb").write_text("{}")
    commit(project)
    own = {name: (project / name).read_bytes() for name in ("src/mine/features.py", "project.yaml")}

    # The template moves on: the machinery, a file of the project, its own extension, and what a bake gives the user.
    changes = {
        "src/lab2live/__init__.py": "\nNEW = True\n",
        "template/{{cookiecutter.project_slug}}/.gitignore": "{{ new_global }}\n",
        "template/{{cookiecutter.project_slug}}/src/{{cookiecutter.package_name}}/features.py": "# new example\n",
        "template/{{cookiecutter.project_slug}}/project.yaml": "# new question\n",
    }
    for name, text in changes.items():
        with (template / name).open("a", encoding="utf-8") as file:
            file.write(text)
    extension = template / "template/lab2live_template.py"
    known = "template_root=ROOT.as_posix(),"
    extension.write_text(extension.read_text().replace(known, known + ' new_global="a-new-line",'))
    commit(template)

    data.unlink()  # the update may run where the data are not
    assert run("cruft", "check", cwd=project).returncode == 1
    done = run("cruft", "update", "--skip-apply-ask", cwd=project)
    assert done.returncode == 0, done.stderr
    assert (project / "src/lab2live/__init__.py").read_text().endswith("NEW = True\n")
    assert (project / ".gitignore").read_text().endswith("a-new-line\n")
    assert {name: (project / name).read_bytes() for name in own} == own
    assert (project / "tests/reference/01_mine.ipynb").is_file()
    assert list(project.rglob("*.rej")) == []

    assert run("cruft", "check", cwd=project).returncode == 0
    unchanged = run("cruft", "diff", "--exit-code", cwd=project)
    assert (unchanged.returncode, unchanged.stdout) == (0, "")


def test_git_tracks_every_file_of_the_template(repository):
    tracked = git("-c", "core.quotePath=false", "ls-files", "template", cwd=repository).splitlines()
    assert {*tracked} == {name for name in tree(repository) if name.startswith("template/")}


def test_a_bake_takes_less_than_three_seconds(bake):
    started = time.monotonic()
    bake()
    assert time.monotonic() - started < 3
