"""Living with the template: what an update does to a project that somebody works in."""

import json
import re
import shlex
import shutil

import nbformat
import pytest
import yaml

from .conftest import ROOT, commit, git
from .test_bake import tree, wheel_of

NOTEBOOK = "notebooks/01_eda.ipynb"


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
        notebook.metadata.language_info = {"name": "python", "version": "3.11.2"}
    path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")


def sources(path):
    """The cells of a notebook, which has to be one."""
    found = nbformat.read(path, as_version=4)
    nbformat.validate(found)
    return ["".join(cell.source) for cell in found.cells]


def move_on(template, cell=0):
    """The template gets a new version of a notebook, of the library, of its locks and of what a bake gives the user."""
    edit(template / NOTEBOOK, cell, "\n\nNew in the template.")
    changes = {
        "src/lab2live/charter/__init__.py": "\nNEW = True\n",
        "requirements.lock": "# a new version of something\n",
        "template/{{cookiecutter.project_slug}}/.gitignore": "{{ new_global }}\n",
        "template/{{cookiecutter.project_slug}}/src/{{cookiecutter.package_name}}/features.py": "# new example\n",
        "template/{{cookiecutter.project_slug}}/project.yaml": "# new question\n",
        "template/{{cookiecutter.project_slug}}/requirements-own.in": "# new advice\n",
        "template/{{cookiecutter.project_slug}}/tests/test_package.py": "# new test\n",
    }
    for name, text in changes.items():
        with (template / name).open("a", encoding="utf-8") as file:
            file.write(text)
    extension = template / "template/lab2live_template.py"
    known = "template_root=ROOT.as_posix(),"
    extension.write_text(extension.read_text().replace(known, known + ' new_global="a-new-line",'))
    commit(template)


def update(run, project):
    done = run("cruft", "update", "--skip-apply-ask", cwd=project)
    assert done.returncode == 0, done.stderr
    assert "make run" not in done.stdout  # which is said once, when the project is made
    return done.stdout + done.stderr


def unmerged(project):
    return [line[3:] for line in git("status", "--porcelain", cwd=project).splitlines() if line.startswith("UU")]


def hooked(project, run):
    """The filter of `make hooks`, with the environment of these tests."""
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    command = re.search(r'^\tgit config filter.nbstripout.clean "(.*)"$', makefile, re.M)[1]
    python = shutil.which(
        "python", path=run("python", "-c", "import sys; print(sys.prefix)", cwd=project).stdout.strip() + "/bin"
    )
    git("config", "filter.nbstripout.clean", command.replace("$(CURDIR)/$(BIN)/python", python), cwd=project)


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


def test_from_one_version_to_the_next_only_what_both_have_changed_is_a_conflict(template, project, run):
    """Somebody has added LightGBM, and edited the charter, the package and a notebook that the template changes."""
    # a package of their own: asked for, locked against the template's lock
    (project / "requirements-own.in").write_text("lightgbm>=4\n")
    lock = ["-c", "requirements.lock", "-o", "requirements-own.lock", "requirements-own.in"]
    made = run(
        "uv", "pip", "compile", "-q", "--universal", "--generate-hashes", "--python-version", "3.11", *lock, cwd=project
    )
    assert made.returncode == 0, made.stderr
    pins = re.compile(r"^([a-z0-9-]+==\S+)", re.M)
    own, theirs = (set(pins.findall((project / f"requirements{name}.lock").read_text())) for name in ("-own", ""))
    assert {pin.split("==")[0] for pin in own - theirs} == {"lightgbm"}, "all else is at the template's versions"
    for name in ("src/mine/models.py", "src/mine/features.py", "project.yaml", "tests/test_package.py"):
        with (project / name).open("a", encoding="utf-8") as file:
            file.write("# mine\n")
    edit(project / NOTEBOOK, 0, "\n\nMine.")
    edit(project / "notebooks/02_poc.ipynb", 0, "\n\nMine, too.")
    (project / "tests/reference/01_eda.ipynb").write_text('{"mine": true}')
    commit(project)
    before, wheel = tree(project), wheel_of(project).name
    assert run("cruft", "check", cwd=project).returncode == 0

    move_on(template)
    assert run("cruft", "check", cwd=project).returncode == 1
    update(run, project)

    assert unmerged(project) == [NOTEBOOK]
    assert list(project.rglob("*.rej")) == []
    after, new = tree(project), wheel_of(project).name  # of which there is one
    assert new != wheel
    version = re.search(r"^lab2live==(\S+)", (project / "requirements.lock").read_text(encoding="utf-8"), re.M)[1]
    assert new == f"lab2live-{version}-py3-none-any.whl"
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert changed == {".gitignore", "requirements.lock", f"vendor/{wheel}", f"vendor/{new}"}
    assert after[".gitignore"].endswith(b"a-new-line\n")
    assert after["requirements.lock"].endswith(b"# a new version of something\n")

    # as the README of the project says
    git("checkout", "--theirs", NOTEBOOK, cwd=project)
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")
    commit(project)
    assert run("cruft", "check", cwd=project).returncode == 0


def test_a_notebook_that_only_the_template_changed_is_renewed(template, project, run):
    other = project / "notebooks/02_poc.ipynb"
    edit(other, 0, "\n\nMine.")
    commit(project)
    move_on(template)
    update(run, project)
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")
    assert sources(other)[0].endswith("Mine.")
    assert unmerged(project) == []


def test_a_notebook_that_was_run_and_saved_is_no_change_for_git_and_no_obstacle_to_an_update(template, project, run):
    hooked(project, run)
    edit(project / NOTEBOOK, 0, "", executed=True)
    assert git("diff", cwd=project) == ""
    assert git("status", "--porcelain", cwd=project) == f" M {NOTEBOOK}\n", "git only sees that its size is another"
    makefile = (project / "Makefile").read_text(encoding="utf-8")
    refresh = re.search(r"^update:.*\n\t@git (add [^#\n]*?) *(#.*)?$", makefile, re.M)[1]
    git(*refresh.split(), cwd=project)
    assert git("status", "--porcelain", cwd=project) == ""
    move_on(template)
    update(run, project)
    assert unmerged(project) == []
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")


def test_without_the_filter_an_update_waits_until_changes_are_committed(template, project, run):
    edit(project / NOTEBOOK, 0, "", executed=True)
    mine = (project / NOTEBOOK).read_bytes()
    wheel = wheel_of(project).name
    move_on(template)
    done = run("cruft", "update", "--skip-apply-ask", cwd=project)
    assert "unclean git project" in done.stdout + done.stderr
    assert (project / NOTEBOOK).read_bytes() == mine
    assert wheel_of(project).name == wheel


def test_an_update_asks_for_no_data(template, run, tables, tmp_path):
    data = tmp_path / "data.csv"
    shutil.copyfile(tables / "kinds.csv", data)
    answers = {"data_source": "file", "data_path": "data.csv", "target": "kind", "project_slug": "mine"}
    words = ["--no-input", "--directory", "template", "--extra-context", json.dumps(answers)]
    assert run("cruft", "create", template, *words, cwd=tmp_path).returncode == 0
    project = tmp_path / "mine"
    assert json.loads((project / ".cruft.json").read_text())["context"]["cookiecutter"]["data_path"] == data.as_posix()
    commit(project)
    before = tree(project)
    move_on(template)
    data.unlink()  # the update may run where the data are not
    update(run, project)
    after = tree(project)
    left_alone = ("src/", "project.yaml", "tests/", "requirements-own")
    assert {name: text for name, text in before.items() if name.startswith(left_alone)} == {
        name: text for name, text in after.items() if name.startswith(left_alone)
    }
    assert sources(project / NOTEBOOK)[0].endswith("New in the template.")
    assert run("cruft", "check", cwd=project).returncode == 0
    unchanged = run("cruft", "diff", "--exit-code", cwd=project)
    assert (unchanged.returncode, unchanged.stdout) == (0, "")
