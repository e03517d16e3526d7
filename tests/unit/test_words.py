"""Words: a number and its noun agree, wherever the data room says how many."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

import lab2live
from lab2live.reporting import formatting

PACKAGE = Path(lab2live.__file__).parent
FOLDERS = ("eda/checks", "eda/signal", "data/sources", "synthesis")
ROOM = sorted(path for folder in FOLDERS for path in (PACKAGE / folder).glob("*.py"))
# What is counted in messages, in the plural.
COUNTED = re.compile(
    r"^ (?:\w+ )?(?:rows|keys|values|cases|dates|days|hours|times(?! as| smaller)|columns|sources|outcomes|words|texts|"
    r"spellings|codes|pairs|levels|groups|features|classes|names|bytes|expected values)\b"
)


def hard_plurals(text: str) -> list[str]:
    """Find f-strings in which a number meets a plural that does not depend on it."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.JoinedStr):
            continue
        for value, after in zip(node.values, node.values[1:], strict=False):
            if not (isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant)):
                continue
            how = ast.unparse(value.format_spec) if value.format_spec else ""
            counted = COUNTED.match(str(after.value)) and "%" not in how
            number = "," in how or "g" in how or ".0f" in how or "len(" in ast.unparse(value.value)
            # a limit of the package is never 1, and `agree` knows the number
            known = ast.unparse(value.value).isupper() or ast.unparse(value.value).startswith("agree(")
            if counted and number and not known:
                found.append(f"{node.lineno}: {ast.unparse(value.value)}{str(after.value)[:20]}")
    return found


@pytest.mark.parametrize("path", [*ROOM, PACKAGE / "data/dataset.py"], ids=lambda path: path.stem)
def test_one_row_is_not_called_rows(path: Path) -> None:
    assert hard_plurals(path.read_text(encoding="utf-8")) == []


def test_the_search_for_plurals_finds_them() -> None:
    assert len(hard_plurals('f"{n:,} keys"; f"{len(x)} columns"; f"{a} of {b:,.0f} rows"; f"{n:,} new rows"')) == 4
    assert hard_plurals('f"{share:.1%} rows"; f"{MOST:,} columns"; f"{name} rows"; f"{amount(n, \'row\')} rows"') == []


def test_the_examples_of_words_are_true() -> None:
    assert doctest.testmod(formatting).failed == 0
