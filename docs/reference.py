"""Renews what the reference pages take from the code: `make docs`. A test says when it has to be done.

Between `<!-- from the code: ... -->` and `<!-- end -->` the first cells of a table, or the whole text, come from the
code; the other cells are written by hand and kept. A new line has empty ones: fill them in.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from lab2live.charter import gates, schema
from lab2live.cli import main as cli
from lab2live.eda.checks.catalogue import CHECKS

FOLDER = Path(__file__).resolve().parent
PART = re.compile(r"(<!-- from the code: ([\w. ]+) -->\n)(.*?)(<!-- end -->)", re.S)
STAR = r" \*"  # marks a gate that must pass
PLAIN = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "date": "date",
    "Any": "value",
}


def renewed(page: Path) -> str:
    """Give a page as it should read."""
    return PART.sub(lambda found: found[1] + part(found[2], found[3]) + found[4], page.read_text(encoding="utf-8"))


def part(name: str, old: str) -> str:
    """Write one part of a page anew: `cli`, `checks`, `gates STAGE` or `charter BLOCK`."""
    kind, _, of = name.partition(" ")
    if kind == "cli":
        return "\n".join(commands())
    rows = {"checks": lambda _: check_rows(), "gates": gate_rows, "charter": field_rows}[kind](of)
    return table(old, list(rows))


def table(old: str, rows: list[tuple[str, ...]]) -> str:
    """Put the derived cells of every row into a table; the cells behind them are those it has."""
    head, rule, *lines = old.splitlines()
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]
    known, width = {row[0].removesuffix(STAR): row for row in cells}, len(head.strip("|").split("|"))
    full = [[*row, *(known.get(row[0].removesuffix(STAR)) or [""] * width)[len(row) :]] for row in rows]
    return "\n".join([head, rule, *(f"| {' | '.join(row)} |" for row in full)]) + "\n"


def gate_rows(stage: str) -> Iterator[tuple[str, ...]]:
    """One row per gate of a stage: id, requirement, question, limits."""
    for rule in (rule for rule in gates.CATALOGUE.values() if rule.stage == stage):
        star = STAR if rule.must_pass else ""
        warn = None if rule.warn == rule.fail else rule.warn  # a value beyond both fails
        yield f"`{rule.id}`{star}", rule.requirement, rule.question, limit(rule, warn), limit(rule, rule.fail)


def limit(rule: gates.Gate, value: float | None) -> str:
    """Say from where on a gate warns or fails."""
    if value is None:
        return "never"
    if rule.unit == "severity":
        return "a warning" if value == 0 else "a failed check"
    return f"{'above' if rule.better == 'lower' else 'below'} {value:g}"


def check_rows() -> Iterator[tuple[str, ...]]:
    """One row per check of the data: id, requirement, what is wrong, what to do about it."""
    for name, check in CHECKS.items():
        yield f"`{name}`", check.requirement, check.title, check.fix


def field_rows(block: str) -> Iterator[tuple[str, ...]]:
    """One row per field of a block of the charter: name, what it takes, what it is if left out."""
    model = blocks()[block]
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        yield f"`{name}`", takes(field), "required" if field.is_required() else said(field.default)


def blocks() -> dict[str, type[schema.Block]]:
    """Name every block of the charter by its class."""
    found = inspect.getmembers(schema, inspect.isclass)
    return {name: kind for name, kind in found if issubclass(kind, schema.Block) and kind is not schema.Block}


def takes(field: FieldInfo) -> str:
    """Say in plain words what a field takes, with its bounds."""
    words = {Ge: "at least", Gt: "above", Le: "at most", Lt: "below"}
    bounds = [(words[type(bound)], bound) for bound in field.metadata if type(bound) in words]
    limits = [f"{word} {getattr(bound, type(bound).__name__.lower()):g}" for word, bound in bounds]
    return ", ".join([kind_of(field.annotation), *limits])


def kind_of(annotation: Any) -> str:
    """Say in plain words which values a type stands for."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin is typing.Annotated:
        return kind_of(inner[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(dict.fromkeys(kind_of(one) for one in inner if one is not type(None)))
    if origin is list:
        return f"list of {plural(inner[0])}".replace("list of list of", "table of")
    if origin is dict:
        return f"for each {kind_of(inner[0]).replace('text', 'name')}: {kind_of(inner[1])}"
    if inspect.isclass(annotation) and issubclass(annotation, schema.Block):
        return "block"
    return PLAIN[getattr(annotation, "__name__", "Any")]


def plural(annotation: Any) -> str:
    word = kind_of(annotation)
    return {"text": "texts", "number": "numbers", "value": "values", "block": "blocks"}.get(word, word)


def said(default: Any) -> str:
    """Say what a field is when nobody fills it in."""
    if isinstance(default, schema.Block) or default in (None, "", [], {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def commands() -> Iterator[str]:
    """Describe every command: what it does, how it is called, what its arguments and options mean."""
    for name, command in sorted(typer.main.get_command(cli.app).commands.items()):  # type: ignore[attr-defined]
        arguments = " ".join(one.metavar for one in command.params if one.param_type_name == "argument")
        yield f"## {name}\n\n{command.help}\n\n```text\nlab2live {name} {arguments}".rstrip() + "\n```\n"
        rows = [described(parameter) for parameter in command.params]
        yield "\n".join(["| | |", "|---|---|", *(f"| {one} | {other} |" for one, other in rows)]) + "\n"


def described(parameter: Any) -> tuple[str, str]:
    """Describe one argument or option."""
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar}`", parameter.help or ""
    value = "" if parameter.is_flag else f" {parameter.metavar or 'VALUE'}"
    default = "" if parameter.is_flag or parameter.default in (None, ()) else f" Default: `{parameter.default}`."
    return f"`{parameter.opts[0]}{value}`", (parameter.help or "") + default


def pages() -> list[Path]:
    """The pages that have such parts."""
    return [page for page in sorted(FOLDER.glob("*.md")) if PART.search(page.read_text(encoding="utf-8"))]


def main() -> None:
    """Renew every page."""
    for page in pages():
        page.write_text(renewed(page), encoding="utf-8")


if __name__ == "__main__":
    main()
