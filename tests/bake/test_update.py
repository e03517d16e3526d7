"""Living with the template: what `cruft update` does to notebooks that somebody works in."""

import json
import re
import shlex
import shutil

import nbformat
import pytest
import yaml

from .conftest import ROOT, commit, git

NOTEBOOK = "notebooks/01_eda.ipynb"
CLEANING = "python3 src/lab2live/pipeline/stripping.py -"


@pytest.fixture
def template(repository, tmp_path):
    git("clone", "--quiet", repository, tmp_path / "lab2live", cwd=tmp_path)
    return tmp_path / "lab2live"


@pytest.fixture
def project(template, run, tmp_path):
    """A project made with cruft and committed."""
    words = ["--no-input", "--directory", "template", "--extra-context", '{"project_slug": "mine"}']
    assert run("cruft", "create", template, *words, cwd=tmp_path).returncode == 0
    commit(tmp_path / "mine")
    return tmp_path / "mine"


def edit(path, cell, text, executed=False):
    """Change the source of one cell, as Jupyter writes it; perhaps after running everything."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[cell].source += text
    if executed:
        for count, code in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
            code.execution_count = count
            code.outputs = [nbformat.v4.new_output("stream", text=f"{count}\n")]
        notebook.metadata.language_info.version = "3.11.2"
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def sources(path):
    """The cells of a notebook, which has to be one."""
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return ["".join(cell.source) for cell in found.cells]


def move_on(template, cell=0):
    """The template gets a new version of a notebook, of the machinery, and of the conventions around."""
    edit(template / NOTEBOOK, cell, "\n\nNew in the template.")
    with (template / "src/lab2live/__init__.py").open("a", encoding="utf-8") as file:
        file.write("\nNEW = True\n")
    commit(template)


def update(run, project):
    done = run("cruft", "update", "--skip-apply-ask", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "make run" not in done.stdout  # which is said once, when the project is made
    return done.stdout + done.stderr


def unmerged(project):
    return [line[3:] for line in git("status", "--porcelain", cwd=project).splitlines() if line.startswith("UU")]


def test_the_answers_of_the_documentation_give_a_project(template, run, tmp_path):
    page = (ROOT / "docs/howto-update.md").read_text(encoding="utf-8").replace("\\\n", " ")
    words = shlex.split(re.search(r"^\$ (cruft create .*)$", page, re.M)[1])
    words[words.index("https://example.org/lab2live.git")] = template
    rows = [f"{n},2026-01-{n % 28 + 1:02d},{n % 7},{['no', 'yes'][n % 2]}" for n in range(60)]
    (tmp_path / "visits.csv").write_text("\n".join(["visit,day,age,frequent", *rows]))
    assert run(*words, cwd=tmp_path).returncode == 0
    project = tmp_path / re.search(r"^\$ cd (.*)$", page, re.M)[1]
    used = json.loads((project / ".cruft.json").read_text())["context"]["cookiecutter"]
    said = json.loads(words[words.index("--extra-context") + 1])
    assert {key: used.get(key) for key in said} == said | {"data_path": (tmp_path / "visits.csv").as_posix()}


def test_the_hash_of_the_template_is_not_taken_for_a_secret(project):
    described = yaml.safe_load((project / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (secrets,) = (hook for hook in described["repos"][0]["hooks"] if hook["id"] == "secrets")
    left_out = [path.name for path in project.iterdir() if re.search(secrets["exclude"], path.name)]
    assert left_out == [".cruft.json"]


def test_a_notebook_that_only_the_template_changed_is_renewed(template, project, run):
    other = project / "notebooks/02_poc.ipynb"
    edit(other, 0, "\n\nMine.")
    commit(project)
    move_on(template)
    update(run, project)
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")
    assert sources(other)[0].endswith("Mine.")
    assert unmerged(project) == []


@pytest.mark.parametrize("executed", [False, True])
def test_a_notebook_that_both_changed_is_reported_and_stays_a_notebook(template, project, run, executed):
    edit(project / NOTEBOOK, 0, "\n\nMine.", executed)
    commit(project)
    mine = (project / NOTEBOOK).read_bytes()
    move_on(template)
    said = update(run, project)
    assert NOTEBOOK in said
    assert unmerged(project) == [NOTEBOOK]
    assert (project / NOTEBOOK).read_bytes() == mine
    assert (project / "src/lab2live/__init__.py").read_text().endswith("NEW = True\n")
    assert list(project.rglob("*.rej")) == []

    # as the README of the project says
    git("checkout", "--theirs", NOTEBOOK, cwd=project)
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")
    commit(project)
    assert run("cruft", "check", cwd=project).returncode == 0


def test_outputs_that_nobody_committed_are_no_change_for_git_and_no_conflict(template, project, run):
    git("config", "filter.notebook.clean", CLEANING, cwd=project)
    edit(project / NOTEBOOK, 0, "", executed=True)
    assert git("diff", cwd=project) == ""
    git("add", "notebooks", cwd=project)  # until then git only sees that the file has another size
    assert git("status", "--porcelain", cwd=project) == ""
    move_on(template)
    update(run, project)
    assert unmerged(project) == []
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")


def test_without_the_filter_an_update_waits_until_changes_are_committed(template, project, run):
    edit(project / NOTEBOOK, 0, "", executed=True)
    mine = (project / NOTEBOOK).read_bytes()
    move_on(template)
    done = run("cruft", "update", "--skip-apply-ask", cwd=project)
    assert "unclean git project" in done.stdout + done.stderr
    assert (project / NOTEBOOK).read_bytes() == mine
    assert "NEW" not in (project / "src/lab2live/__init__.py").read_text()


def test_references_and_what_the_user_added_are_left_alone(template, project, run):
    (project / "tests/reference/01_eda.ipynb").write_text('{"mine": true}')
    (project / "notebooks/06_mine.ipynb").write_bytes((project / NOTEBOOK).read_bytes())
    shutil.copy(project / "src/mine/rules.py", project / "src/mine/more.py")
    commit(project)
    move_on(template)
    update(run, project)
    assert json.loads((project / "tests/reference/01_eda.ipynb").read_text()) == {"mine": True}
    assert sources(project / "notebooks/06_mine.ipynb")
    assert (project / "src/mine/more.py").is_file()
    changed = {line[3:] for line in git("status", "--porcelain", cwd=project).splitlines()}
    assert changed == {".cruft.json", NOTEBOOK, "src/lab2live/__init__.py"}
