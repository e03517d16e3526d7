"""Answers about a file of cases: in pieces that fit into memory, and continued where it was stopped.

Every piece is written to a file of its own before the next one is read. What is there already is kept when the command
is given again, as long as bundle and input are the same; the pieces become one file only when all are there.
"""

from __future__ import annotations

import csv
import hashlib
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as parquet

from lab2live import files
from lab2live.charter import loading
from lab2live.charter.schema import Charter
from lab2live.data.sources.later import Later, LaterProject
from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.handoff.deciding import Deciding
from lab2live.pipeline import store
from lab2live.reporting.formatting import amount

# Cases answered at once.
PIECE = 50_000
KINDS = (".csv", ".parquet")
# Files of a batch that is under way, beside its target.
IDENTITY, LOCK = "input.json", ".lock"
OURS = rf"{IDENTITY}.*|{LOCK}|[0-9]+[.](parquet|partial)"
# What the columns of an answer are called.
NAMES = ("score", "prediction", "served_by", "reason")


@dataclass(frozen=True)
class Scored:
    """What was done: how many cases were answered, by whom, and how many broke the contract.

    Attributes
    ----------
    refused
        Lines that do not fall into as many values as the header.
    lacking
        Columns that the file does not have, and that may be missing.
    """

    cases: int
    by: Mapping[str, int]
    why: Mapping[str, int]
    invalid: int
    refused: int
    lacking: tuple[str, ...]
    kept: int

    @property
    def sentence(self) -> str:
        said = f"{amount(self.cases, 'case')} answered: {_counts(self.by, 'by ')}."
        if self.why:
            said += f" Why not the model, or what speaks against its answer: {_counts(self.why)}."
        if self.invalid or self.refused:
            said += f" {amount(self.invalid, 'case')} broke the contract"
            said += f", and {amount(self.refused, 'line')} could not be divided." if self.refused else "."
        if self.lacking:
            said += f" Not in the file, and so missing in every case: {', '.join(self.lacking)}."
        return said


def _counts(counts: Mapping[str, int], by: str = "") -> str:
    ordered = sorted(counts.items(), key=lambda one: -one[1])
    return ", ".join(f"{count:,} {by}{name}" for name, count in ordered) or "none"


def score(
    folder: Path,
    source: str | Charter,
    target: Path,
    progress: Callable[[int], None],
    sample: int | None = None,
    seed: int = 0,
) -> Scored:
    """Answer about every case of a file or table.

    Parameters
    ----------
    folder
        The bundle.
    source
        Whatever a charter may name as a source's `uri`, with the fields of the form and what names a case; or a
        charter (also as the path of its file), whose sources are joined as they were for training.
    target
        CSV or Parquet: what names the case (where nothing does, `row`, counted from 0), `score`, `prediction`,
        `served_by` and `reason`. Of the input nothing else: it may be personal. Beside it `<target>.rejected.csv` lists
        the rows that broke the contract, and why; it is left out if there are none.
    progress
        Called with the number of cases done.
    sample, seed
        Of the rows of a charter, draw this many at most.

    Raises
    ------
    UserError
        If a file is of another kind, cannot be read, lacks a field, or would be overwritten.
    """
    if target.suffix.lower() not in KINDS:
        raise UserError(
            "Answers are written as CSV or Parquet.",
            where=target,
            found=target.suffix or "no suffix",
            expected=" or ".join(KINDS),
            fix="give it another name",
        )
    if isinstance(source, str) and Path(source).suffix in (".yaml", ".yml"):
        source = loading.read(Path(source))
    where = source if isinstance(source, str) else str(source.file)
    if target.is_dir() or (Path(where).exists() and Path(where).resolve() == target.resolve()):
        raise UserError("This would be overwritten.", where=target, fix="write the answers somewhere else")
    loaded = bundles.load(folder)
    decides = Deciding.of(loaded)
    kept = loaded.readings
    later = Later(source, kept.columns) if isinstance(source, str) else LaterProject(source, kept, sample, seed)
    asked = [field["name"] for field in decides.fields if "derived" not in field]
    lacking = later.lacking(asked)
    needed = [field["name"] for field in decides.fields if field["name"] in lacking and not field["optional"]]
    if needed:
        raise UserError(
            "The file lacks a column that has to be known.",
            where=where,
            found=", ".join(later.kinds),
            expected=", ".join(needed),
            fix="give a file with it: it always was in what the model was trained on",
        )
    work = target.with_name(f"{target.name}.parts")
    with _alone(work, {"bundle": _hash(folder / bundles.MANIFEST), "input": _identity(source), "piece": PIECE}):
        again = rows = 0
        done: list[Path] = []
        for number, piece in enumerate(later.pieces([*asked, *decides.identifiers, *decides.unasked], PIECE)):
            path = work / f"{number:06d}.parquet"
            if path.is_file():
                again += 1
            else:
                _write(decides, piece, rows, path)
            rows += len(piece)
            done.append(path)
            progress(rows)
        if not rows:
            raise UserError("There is no case in the file.", where=where, fix="give a file with rows")
        refused = later.rejected()
        by, why, invalid = _together(done, target, refused)
    shutil.rmtree(work)
    return Scored(rows, by, why, invalid, len(refused), tuple(lacking), again)


class _alone:
    """Work in the folder of a batch, alone: what an earlier call left there is kept if it is of the same batch."""

    def __init__(self, work: Path, same: Mapping[str, Any]) -> None:
        self.work, self.same = work, dict(same)

    def __enter__(self) -> None:
        from filelock import FileLock, Timeout

        known = self._known()
        if self.work.exists() and known is None:
            fix = "move it away, or write the answers somewhere else"
            raise UserError("A folder of this name is there already, and is not ours.", where=self.work, fix=fix)
        self.work.mkdir(parents=True, exist_ok=True)
        try:
            self.lock = FileLock(self.work / LOCK, timeout=0).acquire()
        except Timeout:
            fix = "wait until it has ended, or write the answers somewhere else"
            raise UserError("Another process is answering into this file.", where=self.work, fix=fix) from None
        if known != self.same:
            for old in self.work.glob("*.parquet"):
                old.unlink()
            files.write_json(self.work / IDENTITY, self.same)

    def _known(self) -> Any:
        try:
            return files.read_json(self.work / IDENTITY)
        except UserError:  # nothing was written yet, or half of it when it was stopped
            names = [path.name for path in self.work.iterdir()] if self.work.is_dir() else [""]
            return {} if all(re.fullmatch(OURS, name) for name in names) else None

    def __exit__(self, *_: object) -> None:
        self.lock.__exit__(None, None, None)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _identity(source: str | Charter) -> dict[str, Any]:
    if not isinstance(source, str):
        return dict(store.inputs(source))
    path = Path(source)
    if not path.exists():
        return {"address": hashlib.sha256(source.encode()).hexdigest()}
    found = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    stamps = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in found]
    return {"files": [list(stamp) for stamp in stamps]}


def _write(decides: Deciding, piece: pd.DataFrame, first: int, path: Path) -> None:
    answers = decides.decide(piece)
    names = [name for name in decides.identifiers if name in piece]
    columns: dict[str, Any] = {"row": pa.array(range(first, first + len(piece)))}
    columns |= {name: pa.array(piece[name], from_pandas=True) for name in names}
    # a piece in which a person decides all cases does not say of itself what its outputs would be
    kinds = {"prediction": pa.string() if decides.classes else pa.float64(), "score": pa.float64()}
    columns |= {name: pa.array(answers[name], kinds.get(name, pa.string()), from_pandas=True) for name in NAMES}
    columns["problem"] = pa.array(answers["detail"], pa.string())
    partial = path.with_suffix(".partial")
    parquet.write_table(pa.table(columns), partial)
    partial.replace(path)


def _together(
    done: list[Path], target: Path, refused: list[tuple[int, str]]
) -> tuple[dict[str, int], dict[str, int], int]:
    """Make one file of all pieces, and one of the rows that broke the contract; count who answered, and why."""
    by: dict[str, int] = {}
    why: dict[str, int] = {}
    invalid = 0
    beside = target.with_name(f"{target.name}.rejected.csv")
    beside.unlink(missing_ok=True)
    partial, strange = (path.with_name(f"{path.name}.partial") for path in (target, beside))
    columnar = target.suffix.lower() == ".parquet"
    writer: Any = None
    with strange.open("w", encoding="utf-8", newline="") as file:
        rejected = csv.writer(file)
        rejected.writerow(["row", "line", "reason"])
        rejected.writerows(["", line, files.no_formula(reason)] for line, reason in refused)
        for path in done:
            table = parquet.read_table(path)
            for counts, name in ((by, "served_by"), (why, "reason")):
                for value, count in table[name].to_pandas().value_counts().items():
                    if value:
                        counts[str(value)] = counts.get(str(value), 0) + int(count)
            bad = table.select(["row", "reason", "problem"]).to_pandas().query("reason == 'invalid_input'")
            told = zip(bad["row"], map(files.no_formula, bad["problem"]), strict=True)
            rejected.writerows([row, "", text] for row, text in told)
            invalid += len(bad)
            others = [name for name in table.column_names if name not in ("row", *NAMES, "problem")]
            table = table.select([*(others or ["row"]), *NAMES])
            writer = writer or (parquet.ParquetWriter if columnar else arrow_csv.CSVWriter)(partial, table.schema)
            writer.write_table(table if columnar else _harmless(table))
    writer.close()
    partial.replace(target)
    if invalid or refused:
        strange.replace(beside)
    else:
        strange.unlink()
    return by, why, invalid


def _harmless(table: pa.Table) -> pa.Table:
    """Keep a spreadsheet from taking a text for a formula."""
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            texts = [files.no_formula(one) for one in table[field.name].to_pylist()]
            table = table.set_column(place, field, pa.array(texts, field.type))
    return table
