"""YAML 1.2, read and written: plain values only, and a mistake in it has a line and a column."""

from __future__ import annotations

import io
import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from lab2live.errors import UserError

# What begins with a zero, or holds a `_`, may be a code, as in `[010, 020]`: text until a field asks for a number.
CODE = re.compile(r"[-+]?(0\d|\d+_)[\d_.]*([eE][-+]?\d+)?")
# Far deeper than any file of ours, and far less than what Python can follow.
MOST_DEEP = 50


class _Composer(Composer):
    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.parser.peek_event()
        if isinstance(event, AliasEvent) or event.anchor or event.tag:
            problem = "a tag (!), an anchor (&) or an alias (*), which nothing here needs; a text takes quotes"
            raise MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _Constructor(SafeConstructor):
    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if isinstance(node, ScalarNode) and CODE.fullmatch(node.value):
            return node.value
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # of Python's own, such as for the 31st of February
            raise MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None


class _Representer(SafeRepresenter):
    def represent_str(self, text: str) -> Any:
        quoted = "'" if text[:1] in (":", "?") else None  # ruamel leaves it plain in a line, and cannot read that
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=quoted)


_Representer.add_representer(str, _Representer.represent_str)


def read_yaml(text: str, where: object = "the text") -> Any:
    """Read one document of YAML 1.2: only `true` and `false` are truth values, `012` and `12:30` are texts.

    Raises
    ------
    UserError
        With line and column. Also for a name that stands in a block twice, for tags, anchors and aliases, and for
        impossible dates.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer, yaml.Constructor, yaml.max_depth = _Composer, _Constructor, MOST_DEEP
    try:
        return yaml.load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(
            "This is not valid YAML.",
            where=f"{where}{line}",
            found=getattr(error, "problem", None) or str(error).partition("\n")[0],
            fix="look at that line and the one above: indentation, a colon, quotes, or a name that stands twice",
        ) from None


def write_yaml(data: Any, *, leaves_in_line: bool = False) -> str:
    """Write YAML, names in the order of the data; `leaves_in_line` puts the innermost blocks on one line each."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = None if leaves_in_line else False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # its stub knows None alone
    yaml.width = 1000 if leaves_in_line else 120
    yaml.representer.ignore_aliases = lambda *_: True  # what stands twice is written twice: aliases are not read
    stream = io.StringIO()
    yaml.dump(data, stream)
    return stream.getvalue()
