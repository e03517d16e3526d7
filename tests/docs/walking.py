"""Follows a page of the documentation the way a reader does: its commands in one shell, its files written as shown.

A fenced `console` block holds commands behind `$` and, where it matters, what they print; a `bash` block holds commands
alone. What a page cannot have done here it says itself, in a comment that renders as nothing, just before the block:

    <!-- run: not here: the reason -->     the commands are not run; their options are still checked
    <!-- run: another command -->          what is run instead of all of them
    <!-- run: this = that -->              what is run instead of one of them, usually the same on a sample
    <!-- run: fails -->                    the last command has to end with exit code 1
    <!-- file: a name -->                  the block is written as this file; a notebook's cells begin with `# %% tags`
    <!-- add: a name -->                   the block is put at the end of this file; in a notebook, before its last cell
    <!-- merge: project.yaml -->           the block's fields are filled in, the others stay

Printed lines are compared in their order: `...` alone stands for any lines, within a line for any text.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from lab2live.charter.yaml import read_yaml, write_yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md")))
# The folder of the reader, in whose name pages show paths.
HOME = "/home/ada"
BIN = Path(sys.executable).parent
NOT_HERE, FAILS = "not here", "fails"
LONGEST = 300  # seconds that one command may take


@dataclass(frozen=True)
class Block:
    """One fenced block, with the comment that stands before it."""

    language: str
    text: str
    line: int
    mark: tuple[str, str] = ("", "")

    @property
    def steps(self) -> list[tuple[str, list[str]]]:
        """Its commands, each with the lines that it is said to print."""
        text = self.text.replace("\\\n", " ")
        if self.language == "bash":
            lines = [line.strip() for line in text.splitlines()]
            return [(line, []) for line in lines if line and not line.startswith("#")]
        found: list[tuple[str, list[str]]] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                found.append((line.removeprefix("$ ").strip(), []))
            elif found:
                found[-1][1].append(line)
        return found


def blocks(page: Path) -> Iterator[Block]:
    """Take a page apart into its fenced blocks."""
    text = page.read_text(encoding="utf-8")
    pattern = r"(?:<!-- (run|file|add|merge): (.*?) -->\n+)?^( *)```(\w*)\n(.*?)^ *```"
    for found in re.finditer(pattern, text, re.S | re.M):
        kind, said, indent, language, body = found.groups()
        lines = [line.removeprefix(indent) for line in body.splitlines()]
        yield Block(language, "\n".join(lines) + "\n", text[: found.start()].count("\n") + 1, (kind or "", said or ""))


def is_followed(block: Block) -> bool:
    """Whether a block holds commands that are run here."""
    return (
        block.language in ("console", "bash")
        and not block.mark[1].startswith(NOT_HERE)
        and block.mark[0] in ("", "run")
    )


def commands(page: Path) -> list[str]:
    """List every command that a page shows in a block, run here or not."""
    return [step for block in blocks(page) if block.language in ("console", "bash") for step, _ in block.steps]


@dataclass
class Walk:
    """A reader's shell, kept from one command to the next.

    Attributes
    ----------
    home
        An empty folder of their own.
    here
        Where they stand.
    instead
        What differs between this machine and the page: text -> text, such as a port that is free here.
    """

    home: Path
    here: Path
    instead: Mapping[str, str] = field(default_factory=dict)
    _exported: dict[str, str] = field(default_factory=dict)
    _servers: list[subprocess.Popen[str]] = field(default_factory=list)

    def follow(self, page: Path) -> int:
        """Do what a page says, from its top to its end; give how many of its blocks were run.

        A command that ends otherwise, or prints something else than the page says, is an `AssertionError`.
        """
        followed = 0
        for block in blocks(page):
            kind, said = block.mark
            place = f"{page.name}, line {block.line}"
            if kind in ("file", "add"):
                write(self._path(said), self._here(block.text), kind == "add")
            elif kind == "merge":
                merge(self._path(said), self._here(block.text))
            elif not is_followed(block):
                continue
            elif kind == "run" and said != FAILS and " = " not in said:
                self.type(said, place)
                followed += 1
            else:
                self._type_all(block, said, place)
                followed += 1
        return followed

    def _type_all(self, block: Block, said: str, place: str) -> None:
        one, _, other = said.partition(" = ")
        for number, (command, shown) in enumerate(block.steps, start=1):
            if other and command == one:
                self.type(other, place)
                continue
            printed = self.type(command, place, expect=int(said == FAILS and number == len(block.steps)))
            missing = unseen([self._here(line) for line in shown], printed)
            assert missing is None, f"{place}: `{command}` does not print\n{missing}\nbut\n{printed}"

    def type(self, command: str, place: str = "", expect: int = 0) -> str:
        """Run one command and give what it printed; another exit code than expected is a failure with all of it."""
        command = self._here(command)
        if re.match(r"lab2live (serve|ask)\b", command):
            return self._serve(command, place)
        if exporting := re.fullmatch(r"export (\w+)=(.*)", command):
            self._exported[exporting[1]] = " ".join(shlex.split(exporting[2]))
            return ""
        where = self.home / ".where"
        script = f"{command}\ncode=$?\npwd > {shlex.quote(str(where))}\nexit $code"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.here,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            timeout=LONGEST,
            check=False,
        )
        assert done.returncode == expect, f"{place}: exit code {done.returncode} of `{command}`\n{done.stdout[-5000:]}"
        self.here = Path(where.read_text(encoding="utf-8").strip())
        return done.stdout

    def _serve(self, command: str, place: str) -> str:
        """Start what does not end by itself; it is stopped behind the page."""
        server = subprocess.Popen(
            shlex.split(command, comments=True),
            cwd=self.here,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        self._servers.append(server)
        assert server.stdout is not None
        printed = []
        for line in server.stdout:
            printed.append(line)
            if "Ctrl-C" in line:
                return "".join(printed)
        raise AssertionError(f"{place}: `{command}` ended\n{''.join(printed)}")

    def stop(self) -> None:
        """Stop what was started."""
        for server in self._servers:
            server.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(10)
            if server.poll() is None:
                server.kill()
                server.wait()

    def _environment(self) -> dict[str, str]:
        """The test's own environment stands for the one that `make env` would create in this folder."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LAB2LIVE_", "PYTHONPATH"))}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        # a home of their own, but the caches of this machine: fonts are not to be looked through again for each page
        cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        own_folders = {"PATH": path, "HOME": str(self.home), "XDG_CACHE_HOME": cache, "COLUMNS": "80"}
        return {**kept, **own_folders, "YDATA_PROFILING_NO_ANALYTICS": "1", **self._exported}

    def _here(self, text: str) -> str:
        """Put this machine in the place of the reader's."""
        if (newest := self.here / "runs" / "latest").is_file():
            text = text.replace("<run-id>", newest.read_text(encoding="utf-8").strip())
        for one, other in self.instead.items():
            text = text.replace(one, other)
        text = re.sub(r"(?<![\w/])(\w+/)?\.venv/bin/", "", text.replace(HOME, str(self.home)))
        return re.sub(r"(^|&& |; )make (?=\w)", rf"\1make -o env BIN={shlex.quote(str(BIN))} ", text)

    def _path(self, name: str) -> Path:
        return self.here / name


def write(path: Path, text: str, add: bool) -> None:
    """Write a file, or put a piece at the end of one that is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix != ".ipynb":
        with path.open("a" if add else "w", encoding="utf-8") as file:
            file.write(f"\n\n{text}" if add else text)
        return
    pieces = [("", text)] if add else re.findall(r"^# %%([^\n]*)\n(.*?)(?=^# %%|\Z)", text, re.S | re.M)
    cells = [nbformat.v4.new_code_cell(code.strip(), metadata={"tags": tags.split()}) for tags, code in pieces]
    notebook = nbformat.read(path, as_version=4) if add else nbformat.v4.new_notebook()
    notebook.cells = [*notebook.cells[:-1], *cells, *notebook.cells[-1:]]
    nbformat.write(notebook, path)


def merge(path: Path, text: str) -> None:
    """Fill fields in, the way somebody edits a charter: a block into the block, a list or a value over the old one."""

    def into(old: Any, new: Any) -> Any:
        if isinstance(old, dict) and isinstance(new, dict):
            return {**old, **{name: into(old.get(name), value) for name, value in new.items()}}
        if isinstance(old, list) and isinstance(new, list) and all("name" in one for one in [*old, *new]):
            named = {one["name"]: one for one in new}
            kept = [into(one, named.pop(one["name"], {})) for one in old]
            return [*kept, *named.values()]
        return new

    merged = into(read_yaml(path.read_text(encoding="utf-8")), read_yaml(text))
    path.write_text(write_yaml(merged), encoding="utf-8")


def unseen(shown: list[str], printed: str) -> str | None:
    """Give the first line of a page that was not printed, in the order of the page; None if all were."""
    lines = iter([" ".join(line.split()) for line in printed.splitlines()])
    for line in (" ".join(line.split()) for line in shown):
        if line in ("", "..."):
            continue
        pattern = ".*".join(map(re.escape, line.split("...")))
        if not any(re.fullmatch(pattern, other) for other in lines):
            return line
    return None
