"""The charter: `project.yaml`, found, read and explained when it is wrong; and the questions it leaves open."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from lab2live.charter import schema
from lab2live.charter.schema import Block, Charter, Source, nearest
from lab2live.charter.yaml import read_yaml
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


def find(project: str | os.PathLike[str] | None = None) -> Charter:
    """Find and read the charter.

    Parameters
    ----------
    project
        A project folder or its `project.yaml`; `"demo"` for the embedded demo; `None` for the environment variable
        `LAB2LIVE_PROJECT`, else the nearest `project.yaml` in the working directory, the notebook's folder or the
        folders above them, else, inside the template's own checkout, the demo.

    Returns
    -------
    Charter
        With every source simulated that lies somewhere else, if `LAB2LIVE_SOURCES=simulated` asks for it.

    Raises
    ------
    UserError
        If there is no charter, or it cannot be read.
    """
    wanted = str(project) if project is not None else os.environ.get("LAB2LIVE_PROJECT") or None
    if wanted is None:
        charter = _nearest_charter()
    elif wanted == DEMO:
        charter = read(DEMO_CHARTER, folder=Path.cwd())
    else:
        path = Path(wanted)
        charter = read(path if path.suffix in (".yaml", ".yml") else path / FILE)
    return _with_sources_as_asked(charter)


def _with_sources_as_asked(charter: Charter) -> Charter:
    """Leave the sources as they are, or replace those that lie somewhere else by tables drawn from this charter."""
    wanted = os.environ.get(SOURCES)
    if not wanted:
        return charter
    if wanted != SIMULATED:
        fix = f"unset it, or set {SOURCES}={SIMULATED} where the data cannot be reached"
        raise UserError(f"The environment variable {SOURCES} says something nobody understands.", found=wanted, fix=fix)
    # real rows to learn from are not at hand either
    plan = charter.simulate.model_copy(update={"sample": {}})
    sources = [_simulated(charter, source) for source in charter.sources]
    return charter.model_copy(update={"sources": sources, "simulate": plan})


def _simulated(charter: Charter, source: Source) -> Source:
    """Give a source of which only the description counts; what can be read everywhere stays as it is."""
    if source.address.startswith((schema.DEMO_SCHEME, schema.PUBLIC_SCHEME, schema.SIMULATED_SCHEME)):
        return source
    columns = source.columns or charter.simulate.columns.get(source.name, {})
    if not columns and not source.aggregate:
        raise UserError(
            f"{SOURCES}={SIMULATED}, and the charter does not say which columns source `{source.name}` has.",
            where=f"{charter.file}, field `sources ({source.name}).columns`",
            expected="column: {type: number | integer | category | text | id | date | boolean}",
            fix=f"where the data can be reached, unset {SOURCES} and paste what `lab2live charter --columns` prints",
        )
    lists = {column: values for column, values in source.expected.items() if isinstance(values, list)}
    elsewhere: dict[str, object] = {"stand_in": None, "snapshot": None, "table": None, "expected": lists}
    update = {"uri": schema.SIMULATED_SCHEME, "access": "simulated", "columns": columns, **elsewhere}
    return source.model_copy(update=update)


def _nearest_charter() -> Charter:
    here = Path.cwd()
    notebook = Path(os.environ.get("JPY_SESSION_NAME") or here / FILE)  # Jupyter says which notebook a kernel serves
    places = [folder for start in (here, notebook.parent) for folder in (start, *start.parents)]
    # papermill says of no notebook where it lies, but an environment lies in the folder of its project
    for folder in [*places, *Path(sys.prefix).parents]:
        if (folder / FILE).is_file() and folder != DEMO_CHARTER.parent:
            return read(folder / FILE)
    # this package may be installed in editable form from the template's own checkout: then the demo can be meant
    for folder in [*places, *PACKAGE_FOLDER.parents]:
        if (folder / "template" / "cookiecutter.json").is_file():  # the mark of the template's own checkout
            return read(DEMO_CHARTER, folder=folder)
    raise UserError(
        f"No {FILE} was found, so it is not known which project is meant.",
        where=f"{here} and the folders above it",
        fix="go into the project's folder, or name it: --project DIR, the notebook's `project` parameter, or the "
        "environment variable LAB2LIVE_PROJECT; `demo` means the embedded demo",
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
        raw = read_yaml(path.read_text(encoding="utf-8-sig"), path)
    except FileNotFoundError:
        raise UserError(f"There is no {FILE} here.", where=path, fix="check the path given for the project") from None
    except (OSError, ValueError) as error:
        fix = "check the path, or save the file as UTF-8"
        raise UserError("The charter cannot be read.", where=path, found=error, fix=fix) from None
    if not isinstance(raw, dict):
        fix = "write at least the blocks `prediction:` and `sources:`, as in the project.yaml of a new project"
        raise UserError("The charter is empty or not a mapping.", where=path, fix=fix)
    places = {"folder": (folder or path.parent).resolve(), "file": path.resolve()}
    for name in places.keys() & raw.keys():  # where the file lies is not for the file to say
        where = f"{path}, field `{name}`"
        raise UserError("The charter has a field nobody knows.", where=where, found=f"`{name}`", fix="remove it")
    try:
        return Charter.model_validate({**raw, **places})
    except ValidationError as error:
        raise _explain(error, path, raw) from None


def _explain(error: ValidationError, path: Path, raw: dict[str, Any]) -> UserError:
    """Turn pydantic's first complaint into one a product manager can act on; the others are counted."""
    # A field nobody knows comes first: it is often the typo that makes another one seem to be missing.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    first, fields = problems[0], [_field(one["loc"], raw, one["type"] == "missing") for one in problems]
    field, rest = fields[0], len(set(fields)) - 1
    found, expected, fix = None, None, "correct it; `lab2live charter` checks the file again"
    if first["type"] == "missing":
        problem, fix = "A field is missing in the charter", f"add `{field}:`"
    elif field in schema.RENAMED_FIELDS:
        problem, found = "A field of the charter has a new name", f"`{field}`"
        fix = f"write `{schema.RENAMED_FIELDS[field]}` instead"
    elif first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        problem, found = "The charter has a field nobody knows", f"`{name}`"
        fix = f"remove it or correct its name{nearest(name, _fields_beside(first['loc']))}"
    elif first["type"] == "value_error":  # our own checks say it in a whole sentence
        problem, found = "The charter contradicts itself", first["msg"].removeprefix("Value error, ")
    else:
        problem = "A field of the charter cannot be used"
        found = None if isinstance(first["input"], dict | list) else first["input"]
        expected = KINDS.get(first["type"]) or first["msg"].removeprefix("Input should be ").partition(", unable")[0]
    more = f" ({rest} more below it)" if rest else ""
    where = f"{path}, field `{field}`" if field else path
    return UserError(f"{problem}{more}.", where=where, found=found, expected=expected, fix=fix)


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


def _fields_beside(location: tuple[str | int, ...]) -> list[str]:
    """List the fields a block knows, found by walking the location down the model."""
    block: type[Block] = Charter
    for part in location[:-1]:
        if known := block.model_fields.get(str(part)):
            block = next(_blocks(known.annotation), block)
    return [name for name, field in block.model_fields.items() if not field.exclude]


def _blocks(kind: Any) -> Iterator[type[Block]]:
    if isinstance(kind, type) and issubclass(kind, Block):
        yield kind
    for inner in get_args(kind):
        yield from _blocks(inner)
