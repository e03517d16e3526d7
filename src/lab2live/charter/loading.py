"""The charter: `project.yaml`, found, read and explained when it is wrong; and the questions it leaves open."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from lab2live.charter.schema import DEMO_SCHEME, PUBLIC_SCHEME, SIMULATED_SCHEME, Block, Charter, Source, nearest
from lab2live.errors import UserError

FILE = "project.yaml"
DEMO = "demo"
# Where the data cannot be reached, such as in CI, this variable says `simulated`.
SOURCES = "LAB2LIVE_SOURCES"
SIMULATED = "simulated"
PACKAGE_FOLDER = Path(__file__).resolve().parents[1]
DEMO_CHARTER = PACKAGE_FOLDER / DEMO / FILE
# What pydantic calls a kind of value, in the words of somebody who writes YAML.
KINDS = {
    "string_type": 'text; a number or date that is meant as text needs "quotes"',
    "list_type": "a list: [one, another]",
    "dict_type": "a block of `name: value` lines",
    "model_type": "a block of `name: value` lines",
    "finite_number": "a number",
    "float_parsing": "a number, with a point: 0.5",
    "int_parsing": "a whole number",
    "date_from_datetime_parsing": "a date: YYYY-MM-DD",
    "date_parsing": "a date: YYYY-MM-DD",
    "invalid_key": 'a name; a number or date that is meant as a name needs "quotes"',
}


class Twice(yaml.composer.ComposerError):
    """A name that stands in one block twice: all but the last would go unnoticed."""


class _Yaml(yaml.SafeLoader):
    """YAML 1.2's idea of true and false: `on:` is a join key and `yes` a class, as whoever wrote them meant.

    A name that stands in one block twice is refused, as the specification demands and PyYAML does not.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        # here, while the block is as written: what `<<` brings in may be overridden
        node = super().compose_mapping_node(anchor)
        names: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in names:
                    raise Twice(None, None, f"`{key.value}` stands in this block twice", key.start_mark)
                names.add((key.tag, key.value))
        return node


_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Yaml.add_implicit_resolver(  # `1e-6` is a number in YAML 1.2, and to everybody else
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def load_yaml(text: str) -> Any:
    """Read YAML as people mean it: only `true` and `false` are truth values.

    Raises
    ------
    yaml.YAMLError
        Also for what PyYAML fails on with an error of Python's own: impossible dates, nesting without end.
    """
    try:
        return yaml.load(text, Loader=_Yaml)
    except yaml.YAMLError:
        raise
    except RecursionError:
        raise yaml.YAMLError("it is nested too deeply") from None
    except Exception as error:
        raise yaml.YAMLError(f"a value cannot be read: {error}") from None


def find(project: str | os.PathLike[str] | None = None) -> Charter:
    """Find and read the charter.

    Parameters
    ----------
    project
        A project folder or its `project.yaml`; `"demo"` for the embedded demo; `None` for the environment variable
        `LAB2LIVE_PROJECT`, else the nearest `project.yaml` above the working directory, else above this package, else,
        inside the template's own checkout, the demo.

    Returns
    -------
    Charter
        With every source simulated that lies somewhere else, if `LAB2LIVE_SOURCES=simulated` asks for it.

    Raises
    ------
    UserError
        If there is no charter, it cannot be read, or another copy of this package would run than the project's own.
    """
    wanted = str(project) if project is not None else os.environ.get("LAB2LIVE_PROJECT") or None
    if wanted == DEMO:
        return read(DEMO_CHARTER, folder=Path.cwd())
    if wanted is not None:
        path = Path(wanted)
        charter = read(path if path.suffix in (".yaml", ".yml") else path / FILE)
    else:
        charter = _nearest_charter()
    _own_machinery(charter.folder)
    return _with_sources_as_asked(charter)


def _with_sources_as_asked(charter: Charter) -> Charter:
    """Leave the sources as they are, or replace those that lie somewhere else by tables drawn from this charter."""
    wanted = os.environ.get(SOURCES)
    if not wanted:
        return charter
    if wanted != SIMULATED:
        raise UserError(
            f"The environment variable {SOURCES} says something nobody understands.",
            found=wanted,
            expected=f"`{SIMULATED}`, or nothing",
            fix=f"unset it, or set {SOURCES}={SIMULATED} where the data cannot be reached",
        )
    # real rows to learn from are not at hand either
    plan = charter.simulate.model_copy(update={"sample": {}})
    sources = [_simulated(charter, source) for source in charter.sources]
    return charter.model_copy(update={"sources": sources, "simulate": plan})


def _simulated(charter: Charter, source: Source) -> Source:
    """Give a source of which only the description counts; what can be read everywhere stays as it is."""
    if source.address.startswith((DEMO_SCHEME, PUBLIC_SCHEME, SIMULATED_SCHEME)):
        return source
    if not source.columns and not source.aggregate:
        raise UserError(
            f"{SOURCES}={SIMULATED}, and the charter does not say which columns source `{source.name}` has.",
            where=f"{charter.file}, field `sources ({source.name}).columns`",
            expected="column: {type: number | integer | category | text | id | date | boolean}",
            fix=f"where the data can be reached, unset {SOURCES} and paste what `lab2live charter --columns` prints",
        )
    lists = {column: values for column, values in source.expected.items() if isinstance(values, list)}
    elsewhere: dict[str, object] = {"stand_in": None, "snapshot": None, "table": None, "expected": lists}
    return source.model_copy(update={"uri": SIMULATED_SCHEME, "access": "simulated", **elsewhere})


def _nearest_charter() -> Charter:
    for start in (Path.cwd(), PACKAGE_FOLDER):
        for folder in (start, *start.parents):
            if (folder / FILE).is_file() and not folder.is_relative_to(PACKAGE_FOLDER):
                return read(folder / FILE)
            if (folder / "template" / "cookiecutter.json").is_file():  # the mark of the template's own checkout
                return read(DEMO_CHARTER, folder=folder)
    raise UserError(
        f"No {FILE} was found, so it is not known which project is meant.",
        where=f"{Path.cwd()} and the folders above it",
        expected=f"a {FILE}, the charter of a project",
        fix="go into the project's folder, or name it: --project DIR, the notebook's `project` parameter, or the "
        "environment variable LAB2LIVE_PROJECT; `demo` means the embedded demo",
    )


def _own_machinery(folder: Path) -> None:
    """Refuse to run a project on somebody else's copy of this package: its results would not be the project's."""
    own = folder / "src" / "lab2live"
    if own.is_dir() and own.resolve() != PACKAGE_FOLDER:
        raise UserError(
            "This project has its own copy of lab2live, and another one is running.",
            where=folder,
            found=PACKAGE_FOLDER,
            expected=own,
            fix="use the project's own environment (`make env`, then .venv/bin/lab2live in the project), or put the "
            "project's src folder first: PYTHONPATH=src python -m lab2live ...",
        )


def read(path: Path, folder: Path | None = None) -> Charter:
    """Read one charter file.

    Parameters
    ----------
    path
        The YAML file.
    folder
        Where paths in it resolve; by default the file's own folder.

    Raises
    ------
    UserError
        Naming the field, what was found and the fix.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"There is no {FILE} here.", where=path, fix="check the path given for the project") from None
    except (OSError, ValueError) as error:
        raise UserError(
            "The charter cannot be read.",
            where=path,
            found=error,
            expected="a UTF-8 text file",
            fix="check the path, or save the file again as UTF-8",
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        if isinstance(error, Twice):
            raise UserError(
                "A field of the charter is filled in twice.",
                where=f"{path}{line}",
                found=error.problem,
                fix="keep one of them",
            ) from None
        raise UserError(
            "The charter is not valid YAML.",
            where=f"{path}{line}",
            found=getattr(error, "problem", None) or error,
            expected="`field: value` lines, nested by spaces",
            fix='look at that line and the one above: indentation, a missing colon, or a text that needs "quotes"',
        ) from None
    if not isinstance(raw, dict):
        raise UserError(
            "The charter is empty or not a mapping.",
            where=path,
            expected="a block `prediction:` and a block `sources:` at least",
            fix="start from the project.yaml of a freshly generated project",
        )
    places = {"folder": (folder or path.parent).resolve(), "file": path.resolve()}
    for name in places.keys() & raw.keys():  # where the file lies is not for the file to say
        raise _unknown(path, name, name, _fields_beside((name,)))
    try:
        charter = Charter.model_validate({**raw, **places})
        charter.model_dump_json()  # what JSON cannot say would break the first notebook instead
    except ValidationError as error:
        raise _explain(error, path, raw) from None
    except (ValueError, RecursionError) as error:  # bytes, or an alias that contains itself
        raise UserError(
            "The charter holds a value that is no text, number, date, list or block.",
            where=path,
            found=error,
            fix="remove `!!` tags and `*` aliases",
        ) from None
    return charter


def _explain(error: ValidationError, path: Path, raw: dict[str, Any]) -> UserError:
    """Turn pydantic's first complaint into one a product manager can act on; the others are counted."""
    # A field nobody knows comes first: it is often the typo that makes another one seem to be missing.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    field = _field(first["loc"], raw, first["type"] == "missing")
    more = f" ({len(problems) - 1} more below it)" if len(problems) > 1 else ""
    where = f"{path}, field `{field}`" if field else path
    if first["type"] == "missing":
        return UserError(f"A field is missing in the charter{more}.", where=where, fix=f"add `{field}:`")
    if first["type"] == "extra_forbidden":
        return _unknown(path, field, str(first["loc"][-1]), _fields_beside(first["loc"]), more)
    fix = "correct it; `lab2live charter` checks the file again"
    if first["type"] == "value_error":  # our own checks say it in a whole sentence
        message = first["msg"].removeprefix("Value error, ")
        end = "" if message.endswith("?") else "."
        return UserError(f"The charter contradicts itself{more}: {message}{end}", where=where, fix=fix)
    found = first["input"] if not isinstance(first["input"], dict | list) else None
    expected = KINDS.get(first["type"]) or first["msg"].removeprefix("Input should be ").partition(", unable")[0]
    return UserError(
        f"A field of the charter cannot be used{more}.", where=where, found=found, expected=expected, fix=fix
    )


def _field(location: tuple[str | int, ...], raw: Any, missing: bool) -> str:
    """Name a field the way it reads in the file: `sources[1] (billing).uri`."""
    name = ""
    for number, part in enumerate(location):
        if isinstance(part, int):
            raw = raw[part] if isinstance(raw, list) and part < len(raw) else None
            label = raw.get("name") if isinstance(raw, dict) else None
            name += f"[{part}]" + (f" ({label})" if label else "")
        elif (isinstance(raw, dict) and part in raw) or (missing and number == len(location) - 1):
            raw = raw.get(part) if isinstance(raw, dict) else None
            name += ("." if name else "") + part
        # else pydantic's name for one way to read the value, which is not in the file
    return name


def _unknown(path: Path, field: str, name: str, known: list[str], more: str = "") -> UserError:
    return UserError(
        f"The charter has a field nobody knows{more}.",
        where=f"{path}, field `{field}`",
        found=f"`{name}`",
        fix=f"remove it or correct its name{nearest(name, known)}",
    )


def _fields_beside(location: tuple[str | int, ...]) -> list[str]:
    """List the fields a block knows, found by walking the location down the model."""
    block: type[Block] | None = Charter
    for part in location[:-1]:
        if isinstance(part, str) and block is not None and part in block.model_fields:
            annotation: Any = block.model_fields[part].annotation
            kinds = [item for item in getattr(annotation, "__args__", (annotation,)) if isinstance(item, type)]
            block = next((kind for kind in kinds if issubclass(kind, Block)), None)
    return [name for name, field in block.model_fields.items() if not field.exclude] if block else []
