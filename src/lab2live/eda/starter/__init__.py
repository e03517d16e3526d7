"""The files of a project's package as they are generated: from the answers alone, or with what the table holds.

The bake runs this where only cookiecutter is installed: the standard library and Jinja, nothing of lab2live.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# What the tests of a generated package put into a table: made up, as a user's own values are not for sharing.
MADE_UP: Mapping[str, tuple[Any, Any]] = {
    "number": (1.0, 20.0),
    "integer": (1, 20),
    "boolean": (True, False),
    "date": ("2026-01-31", "2026-07-01"),
}
MADE_UP_TEXT = ("a", "b")
WIDTH = 120


def render(
    name: str,
    prediction: Mapping[str, Any],
    package: str,
    types: Mapping[str, str],
    rule: Mapping[str, Any] | None,
    check: str | None = None,
) -> str:
    """Fill one of the templates beside this file.

    Parameters
    ----------
    name
        Of the file to write.
    prediction
        The charter's block.
    package
        Of the project.
    types
        Feature -> type, in the charter's words; empty where they are not known.
    rule
        `column`, `split`, `above`, `below`, `missing` and `kind` of an example; `None` where there is none.
    check
        What the function in `checks.py` is called, where it is not the example.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    made.filters["python"] = python
    named = {field: prediction.get(field) for field in ("target", "id_column", "time_column", "group_column")}
    cells = {column: MADE_UP.get(kind, MADE_UP_TEXT) for column, kind in types.items()}
    if rule:
        cells[rule["column"]] = (rule["split"] - 1, rule["split"] + 1)
    cells = cells or {"a column": (1, 2), "another": MADE_UP_TEXT}
    return made.get_template(f"{name}.j2").render(
        **named,
        problem_type=prediction["problem_type"],
        package=package,
        inputs=list(types),
        not_inputs=[column for column in named.values() if column],
        rule=rule,
        check=check or ("mostly_missing" if rule else "few_rows"),
        frame="\n".join(_entry(column, values) for column, values in cells.items()),
    )


def python(value: Any) -> str:
    """Write a literal as `ruff format` would."""
    if isinstance(value, list):
        return "\n".join(["[", *(f"    {python(one)}," for one in value), "]"])
    if not isinstance(value, str):
        return repr(value)
    quote = "'" if value.count('"') > value.count("'") else '"'
    letters = [repr(letter)[1:-1] if letter not in "'\"" else letter for letter in value]
    return quote + "".join("\\" + letter if letter == quote else letter for letter in letters) + quote


def quoted(value: Any) -> str:
    """Write a literal that means the same in YAML, TOML and JSON, whatever a text holds."""
    literal = json.dumps(value, ensure_ascii=False)
    return re.sub("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff]", lambda found: f"\\u{ord(found[0]):04x}", literal)


def _entry(column: str, values: tuple[Any, Any]) -> str:
    cells = [*map(python, values), "None"]
    line = f"        {python(column)}: [{', '.join(cells)}],"
    if sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in line) <= WIDTH:
        return line
    return "\n".join([f"        {python(column)}: [", *(f"            {cell}," for cell in cells), "        ],"])
