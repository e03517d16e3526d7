"""The documentation is true where it cannot be run: links, options, targets, messages, and what comes from the code."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
import typer

from lab2live.charter import gates
from lab2live.charter.schema import Charter
from lab2live.charter.yaml import read_yaml
from lab2live.cli import main

from .walking import NOT_HERE, PAGES, ROOT, blocks, commands, merge, unseen, write

DOCS = ROOT / "docs"
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8") for page in PAGES}
COMMANDS = typer.main.get_command(main.app).commands  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose(name: str) -> str:
    """A page without its blocks."""
    return re.sub(r"```.*?```", "", TEXTS[name], flags=re.S)


def anchors(text: str) -> set[str]:
    """The anchors that a git host gives to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(name)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), f"{name} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{name} links to {target}"


def test_every_page_can_be_found_from_the_index() -> None:
    index = TEXTS["docs/README.md"]
    pages = {Path(name).name for name in TEXTS if name.startswith("docs/")} - {"README.md"}
    assert pages == set(re.findall(r"\((\w[\w-]*\.md)\)", index))
    assert "](docs/README.md)" in TEXTS["README.md"]


@pytest.mark.parametrize("name", TEXTS)
def test_commands_that_are_not_run_exist_too(name: str) -> None:
    inline = re.findall(r"`(?:\.venv/bin/)?(lab2live [^`]+|make [^`]+)`", TEXTS[name])
    for command in [*inline, *commands(ROOT / name)]:
        for one in re.split(r"&&|;|\|", command):
            words = [word.removeprefix(".venv/bin/") for word in one.split()]
            if words[:1] == ["lab2live"] and len(words) > 1:
                check_options(name, words[1:])
            if words[:1] == ["make"]:
                check_targets(name, words[1:])


def check_options(page: str, words: list[str]) -> None:
    subcommand, *rest = words
    if subcommand.startswith("-") or subcommand == "...":
        return
    assert subcommand in COMMANDS, f"{page}: lab2live {subcommand}"
    known = {option for parameter in COMMANDS[subcommand].params for option in parameter.opts} | {"--help"}
    used = {word.split("=")[0] for word in rest if word.startswith("--")}
    assert used <= known, f"{page}: lab2live {' '.join(words)}"


def check_targets(page: str, words: list[str]) -> None:
    makefiles = [ROOT / "Makefile", ROOT / "template" / "{{cookiecutter.project_slug}}" / "Makefile"]
    targets = {name for file in makefiles for name in re.findall(r"^([\w-]+):", file.read_text(encoding="utf-8"), re.M)}
    named = {word for word in words if "=" not in word and not word.startswith("-")}
    assert named <= targets, f"{page}: make {' '.join(words)}"


@pytest.mark.parametrize("name", TEXTS)
def test_answers_given_to_cookiecutter_are_known(name: str) -> None:
    known = json.loads((ROOT / "template" / "cookiecutter.json").read_text(encoding="utf-8"))
    for command in commands(ROOT / name):
        if "cookiecutter" in command:
            keys = {word.split("=")[0] for word in shlex.split(command) if re.match(r"\w+=", word)}
            assert keys <= {*known, "traget"}, f"{name}: {command}"  # one page shows what a mistyped key does


@pytest.mark.parametrize("name", TEXTS)
def test_gates_that_are_named_exist(name: str) -> None:
    stages = "|".join(gates.STAGES)
    named = set(re.findall(rf"`((?:{stages})\.(?!json|md|ipynb)[a-z_]+)`", prose(name)))
    assert named <= set(gates.CATALOGUE)


def test_what_comes_from_the_code_is_up_to_date_and_its_cells_are_filled_in(reference: ModuleType) -> None:
    assert len(reference.pages()) == 4
    for page in reference.pages():
        text = page.read_text(encoding="utf-8")
        assert text == reference.renewed(page), f"{page.name} is out of date: make docs"
        for name, part in re.findall(r"<!-- from the code: ([\w. ]+) -->\n(.*?)<!-- end -->", text, re.S):
            if name != "cli":
                column = 3 if name.startswith("charter") else -1
                cells = [re.split(r"(?<!\\)\|", row.strip("|"))[column].strip() for row in part.splitlines()]
                assert all(cells), f"{page.name}, {name}: a cell is empty"


def test_every_gate_every_block_of_the_charter_and_every_command_has_its_entry(reference: ModuleType) -> None:
    assert set(gates.STAGES) == set(re.findall(r"from the code: gates (\w+)", TEXTS["docs/gates.md"]))
    assert set(reference.blocks()) == set(re.findall(r"from the code: charter (\w+)", TEXTS["docs/charter.md"]))
    assert all(f"\n## {name}\n" in TEXTS["docs/cli.md"] for name in COMMANDS)


def test_messages_of_mistakes_that_cannot_be_made_here_are_those_of_the_code() -> None:
    """Versions differ: the pieces between them have to be there, in the library or in what `make env` runs."""
    files = [*sorted((ROOT / "src").rglob("*.py")), ROOT / "Makefile"]
    code = " ".join(path.read_text(encoding="utf-8") for path in files)
    code = " ".join(re.sub(r"\\\n", " ", code).split()).replace("$(PYTHON)", "python3")
    shown = [
        line
        for block in blocks(DOCS / "troubleshooting.md")
        if block.mark[1].startswith(NOT_HERE)
        for _, lines in block.steps
        for line in lines
        if line.strip()
    ]
    assert len(shown) >= 3
    for line in shown:
        for piece in re.split(r"\d+\.\d+\.\d+", re.sub(r"^(Error|fix): +", "", line.strip())):
            assert piece.strip() in code, line


def test_the_first_column_of_tables_of_messages_is_in_the_code() -> None:
    code = " ".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py")))
    pages = {name for name in TEXTS if name.startswith("docs/howto-")} - {"docs/howto-update.md"}  # which quotes cruft
    for name in sorted(pages):
        for row in re.findall(r"^\| (`?\w[^|]*\.) \|", TEXTS[name], re.M):
            assert all(part.strip(" .") in code for part in row.split("...")), row


def test_pieces_of_a_charter_that_are_shown_can_be_used(tmp_path: Path) -> None:
    checked = 0
    for page in PAGES:
        for block in blocks(page):
            if block.language == "yaml" and re.match(
                r"(sources|prediction|gates|project|business|deployment|notebooks):", block.text
            ):
                raw = read_yaml(block.text)
                prediction = {"problem_type": "classification", "target": "y", **raw.pop("prediction", {})}
                for source in raw.get("sources", []):
                    source.setdefault("uri", "never-read.csv")
                raw.setdefault("sources", [{"name": "s", "uri": "never-read.csv"}])
                Charter.model_validate({"prediction": prediction, **raw})
                checked += 1
    assert checked >= 4


def test_a_line_that_is_not_printed_or_in_another_order_is_noticed() -> None:
    printed = "Gates\n  pass   one\nDecision: GO\n"
    assert unseen(["Gates", "...", "Decision: ..."], printed) is None
    assert unseen(["Decision: GO", "Gates"], printed) == "Gates"
    assert unseen(["pass two"], printed) == "pass two"


def test_a_piece_of_a_charter_is_filled_in_and_the_rest_stays(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text("prediction: {target: y}\nsources:\n- {name: a, uri: a.csv}\n", encoding="utf-8")
    merge(file, "prediction: {metric: r2}\nsources: [{name: a, owner: me}, {name: b}]\n")
    assert read_yaml(file.read_text(encoding="utf-8")) == {
        "prediction": {"target": "y", "metric": "r2"},
        "sources": [{"name": "a", "uri": "a.csv", "owner": "me"}, {"name": "b"}],
    }


def test_a_list_without_names_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "project.yaml"
    file.write_text("notebooks:\n- {file: a.ipynb, needs: [poc]}\n", encoding="utf-8")
    merge(file, "notebooks: [{file: a.ipynb}, {file: b.ipynb}]\n")
    assert read_yaml(file.read_text(encoding="utf-8")) == {"notebooks": [{"file": "a.ipynb"}, {"file": "b.ipynb"}]}


def test_a_notebook_is_written_by_cells_and_gets_a_cell_before_its_last(tmp_path: Path) -> None:
    file = tmp_path / "own.ipynb"
    write(file, "# %% parameters\nseed: int = 0\n\n# %%\nrun.close()\n", add=False)
    write(file, "run.keep(a=1)\n", add=True)
    cells = nbformat.read(file, as_version=4).cells
    assert [cell.source for cell in cells] == ["seed: int = 0", "run.keep(a=1)", "run.close()"]
    assert cells[0].metadata.tags == ["parameters"]
