"""Answers about a file of cases: in pieces that fit into memory, and continued where it was stopped.

Every piece is written to a file of its own before the next one is read. What is there already is kept when the command
is given again, as long as bundle and input are the same; the pieces become one file only when all are there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute  # not loaded by pyarrow itself
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from lab2live import files
from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.handoff.deciding import Deciding
from lab2live.reporting.formatting import amount

# Cases answered at once, and bytes of a CSV file read at once.
PIECE, BLOCK = 50_000, 8_000_000
KINDS = (".csv", ".parquet")
# How files begin that are no text, and what to do about them.
NO_TEXT = {
    b"PK\x03\x04": ("an Excel or ZIP file", "save it as CSV, in UTF-8; another name alone changes nothing"),
    b"PAR1": ("a Parquet file", "let its name end in .parquet"),
}


@dataclass(frozen=True)
class Scored:
    """What was done: how many cases were answered, by whom, and how many broke the contract."""

    cases: int
    by: dict[str, int]
    invalid: int
    kept: int

    @property
    def sentence(self) -> str:
        who = ", ".join(f"{count:,} by {name}" for name, count in sorted(self.by.items(), key=lambda one: -one[1]))
        broke = f" {amount(self.invalid, 'case')} broke the contract." if self.invalid else ""
        return f"{amount(self.cases, 'case')} answered: {who or 'none'}.{broke}"


def score(folder: Path, source: Path, target: Path, progress: Callable[[int], None]) -> Scored:
    """Answer about every case of a file.

    Parameters
    ----------
    folder
        The bundle.
    source
        CSV or Parquet, with the fields of the form and what names a case.
    target
        CSV or Parquet: the number of the row (from 0), what names the case, and the columns of `Deciding.decide`. Of
        the input nothing else: it may be personal. Beside it `<target>.invalid.csv` lists the cases that broke the
        contract, and why; it is left out if there are none.
    progress
        Called with the number of cases done.

    Raises
    ------
    UserError
        If a file is of another kind, cannot be read, or lacks every field.
    """
    check_kind(source)
    check_kind(target)
    if not source.is_file():
        raise UserError(
            "There is nothing to score.", where=source, found="no such file", expected="a CSV or Parquet file"
        )
    check_text(source)
    loaded = bundles.load(folder)
    decides = Deciding.of(loaded)
    work = target.with_name(f"{target.name}.parts")
    same = {"bundle": _hash(folder / bundles.MANIFEST), "input": _identity(source), "piece": PIECE}
    if files_of(work / "input.json") != same:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        files.write_json(work / "input.json", same)
    kept = rows = 0
    done: list[Path] = []
    needed = [*fields(decides), *decides.identifiers, *decides.unasked]
    for number, piece in enumerate(pieces(source, needed)):
        path = work / f"{number:06d}.parquet"
        if path.is_file():
            kept += 1
        else:
            _write(decides, piece, rows, path)
        rows += piece.num_rows
        done.append(path)
        progress(rows)
    by, invalid = _together(done, target)
    shutil.rmtree(work)
    return Scored(rows, by, invalid, kept)


def check_kind(path: Path) -> None:
    """Refuse a file that is neither CSV nor Parquet.

    Raises
    ------
    UserError
        With what to do.
    """
    if path.suffix.lower() not in KINDS:
        raise UserError(
            "Only CSV and Parquet can be scored.",
            where=path,
            found=path.suffix or "no suffix",
            expected=" or ".join(KINDS),
            fix="convert the file",
        )


def check_text(path: Path) -> None:
    """Refuse a file that its name calls a CSV and that is no text.

    Raises
    ------
    UserError
        With what it is, and what to do.
    """
    if path.suffix.lower() == ".parquet" or not path.is_file():
        return
    with path.open("rb") as content:
        begins = content.read(4)
    if begins in NO_TEXT:
        found, fix = NO_TEXT[begins]
        raise UserError("This is no text file.", where=path, found=found, expected="a CSV file, in UTF-8", fix=fix)


def files_of(path: Path) -> Any:
    """Read what a stopped run has left; nothing if it left nothing that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _identity(path: Path) -> dict[str, Any]:
    known = path.stat()
    return {"path": str(path.resolve()), "bytes": known.st_size, "changed": known.st_mtime_ns}


def pieces(source: Path, needed: list[str]) -> Iterator[pa.Table]:
    """Read some columns of a file in pieces of the same size, whatever the sizes in which it is stored.

    Raises
    ------
    UserError
        If it cannot be read, or has none of these columns.
    """
    waiting: list[pa.Table] = []
    for stored in _stored(source, needed):
        waiting.append(stored)
        while sum(table.num_rows for table in waiting) >= PIECE:
            together = pa.concat_tables(waiting)
            yield together.slice(0, PIECE)
            waiting = [together.slice(PIECE)]
    last = pa.concat_tables(waiting) if waiting else None
    if last is not None and last.num_rows:
        yield last


def _stored(source: Path, needed: list[str]) -> Iterator[pa.Table]:
    try:
        if source.suffix.lower() == ".parquet":
            with parquet.ParquetFile(source) as stored:
                names = _needed(stored.schema_arrow.names, needed, source)
                for batch in stored.iter_batches(PIECE, columns=names):
                    yield pa.Table.from_batches([batch])
            return
        with csv.open_csv(source, csv.ReadOptions(block_size=BLOCK)) as head:
            names = _needed(head.schema.names, needed, source)
        # everything as text, so that a column is read the same way in every piece of it
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            include_columns=names,
            strings_can_be_null=True,
            null_values=[""],
        )
        parse = csv.ParseOptions(newlines_in_values=True)
        with csv.open_csv(source, csv.ReadOptions(block_size=BLOCK), parse, convert) as stored:
            for batch in stored:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, ValueError) as error:
        raise UserError(
            "The file cannot be read.",
            where=source,
            found=str(error).splitlines()[0][:200],
            expected=f"a {source.suffix[1:]} file, in UTF-8",
            fix="write it again",
        ) from None


def fields(decides: Deciding) -> dict[str, str]:
    """Give the columns that a case is asked for, and their kinds."""
    return {field["name"]: field["kind"] for field in decides.fields if "derived" not in field}


def _needed(names: list[str], needed: list[str], source: Path) -> list[str]:
    found = [name for name in names if name in needed]
    if not found:
        raise UserError(
            "The file has none of the fields that the model needs.",
            where=source,
            found=", ".join(names[:8]),
            expected=", ".join(needed[:8]),
            fix="name the columns as in the bundle's explain/form.json",
        )
    return found


def as_frame(piece: pa.Table, kinds: dict[str, str]) -> pd.DataFrame:
    """Read the numbers of a piece, which a CSV file holds as text, and leave what is none as it is."""
    frame = piece.to_pandas()
    for name, kind in kinds.items():
        if name in frame and kind == "number" and frame[name].dtype == object:
            # what is no number stays text, to be refused with its row
            numbers = pd.to_numeric(frame[name], errors="coerce")
            fits = numbers.notna() | frame[name].isna()
            mixed = numbers.astype(object).where(fits, frame[name]).where(frame[name].notna(), None)
            frame[name] = numbers if fits.all() else mixed
    return frame


def _write(decides: Deciding, piece: pa.Table, first: int, path: Path) -> None:
    frame = as_frame(piece, fields(decides))
    answers = decides.decide(frame)
    names = [name for name in decides.identifiers if name in piece.column_names]
    columns = {"row": pa.array(range(first, first + piece.num_rows)), **{name: piece[name] for name in names}}
    # a piece in which a person decides all cases does not say of itself what its outputs would be
    output = pa.array(answers.pop("output"), pa.string() if decides.classes else pa.float64(), from_pandas=True)
    table = pa.table({**columns, **{f"{name}": pa.array(answers[name], from_pandas=True) for name in answers}})
    table = table.add_column(table.schema.get_field_index("source"), "output", output)
    partial = path.with_suffix(".partial")
    parquet.write_table(table, partial)
    partial.replace(path)


def _together(done: list[Path], target: Path) -> tuple[dict[str, int], int]:
    """Make one file of all pieces, and one of the cases that broke the contract; count who answered."""
    by: dict[str, int] = {}
    invalid = 0
    beside = target.with_name(f"{target.name}.invalid.csv")
    beside.unlink(missing_ok=True)
    partial, strange = (path.with_name(f"{path.name}.partial") for path in (target, beside))
    columnar = target.suffix.lower() == ".parquet"
    writer: Any = None
    wrong: Any = None
    for path in done:
        table = parquet.read_table(path)
        for name, count in table["source"].to_pandas().value_counts().items():
            by[str(name)] = by.get(str(name), 0) + int(count)
        bad = table.filter(pa.compute.equal(table["reason"], "invalid_input")).drop_columns(["answer", "output"])
        if writer is None:
            writer = (parquet.ParquetWriter if columnar else csv.CSVWriter)(partial, table.schema)
        writer.write_table(table if columnar else _harmless(table))
        if bad.num_rows:
            wrong = wrong or csv.CSVWriter(strange, bad.schema)
            wrong.write_table(_harmless(bad))
            invalid += bad.num_rows
    if writer is None:
        raise UserError("There is no case in the file.", where=target, fix="give a file with rows")
    writer.close()
    partial.replace(target)
    if wrong is not None:
        wrong.close()
        strange.replace(beside)
    return by, invalid


def _harmless(table: pa.Table) -> pa.Table:
    """Keep a spreadsheet from taking a text for a formula."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = [files.no_formula(one) for one in table[field.name].to_pylist()]
            table = table.set_column(place, field, pa.array(texts, field.type))
    return table
