"""Files that come later, read as the data were that a model learnt from: what does not fit is kept for whoever asks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab2live.charter.schema import Charter, ReadingOptions, Source, did_you_mean
from lab2live.data.sources import csv, reading, tables
from lab2live.data.sources.engine import BATCH, duckdb
from lab2live.data.sources.errors import in_words
from lab2live.data.sources.readers import CSV, files_of, open_place, place_of, suffix_of, type_of
from lab2live.data.sources.reading import ColumnReading, Readings, quoted
from lab2live.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

# What the column is called in which a value stands that does not fit.
UNFIT = "unfit: "
# Of the names that the engine is given.
_NUMBERS = itertools.count()
# A number as text, the way `encoding.label` writes it.
LABEL = "CASE WHEN {0} = trunc({0}) AND abs({0}) < 1e15 THEN ({0}::BIGINT)::VARCHAR ELSE {0}::VARCHAR END"


class Later:
    """A file, folder or table with rows of the kind that was learnt from.

    Parameters
    ----------
    place
        Like a source's `uri`: a path, a URL, or the address of a database.
    read_as
        Column -> how it was read where the model learnt.
    table
        Of a database or workbook with several.

    Raises
    ------
    UserError
        If it cannot be opened.
    """

    def __init__(self, place: str, read_as: Mapping[str, ColumnReading], table: str | None = None) -> None:
        source = Source(name=Path(place).name or place, uri=place, table=table)
        charter = Charter.model_validate(
            {"prediction": {"problem_type": "regression", "target": "-"}, "sources": [source], "folder": Path.cwd()}
        )
        self.source, self.read_as, self.rejects = source, read_as, ""
        if "://" not in place and not Path(place).exists():
            raise UserError("There is no such file or folder.", where=place, fix="check the path")
        with self._in_words():
            self._open(charter, place_of(charter, source))

    def _open(self, charter: Charter, place: Path | str) -> None:
        engine = duckdb()
        if isinstance(place, Path) and suffix_of(place) in CSV:
            number = next(_NUMBERS)
            self.rejects = f"lab2live_rejects_{number}"
            more = f"store_rejects = true, rejects_table = '{self.rejects}', rejects_scan = 'lab2live_scan_{number}'"
            dialects = csv.dialects(files_of(place, CSV), ReadingOptions())
            self.rows = f"({' UNION ALL BY NAME '.join(f'SELECT * FROM {one.sql[:-1]}, {more})' for one in dialects)})"
            self.kinds = dict.fromkeys(dialects[0].columns, "text")
            return
        table = open_place(charter, self.source, place, ReadingOptions()).table
        self.kinds = {name: str(type_of(kind)) for name, kind in table.schema().items()}
        if table.get_backend() is engine:
            self.rows = f"({engine.compile(table)})"
        else:  # rows of another engine come batch by batch
            self.rows = f"lab2live_later_{next(_NUMBERS)}"
            self.batches = table.to_pyarrow_batches(chunk_size=BATCH)
            engine.con.register(self.rows, self.batches)

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except UserError as error:
            raise UserError(error.problem, **{"where": self.source.address, **error.details}) from None
        except Exception as error:  # whatever an engine or its driver raises
            raise UserError(
                "It cannot be read.", where=self.source.address, found=in_words(error, self.source)
            ) from error

    def lacking(self, needed: Sequence[str]) -> list[str]:
        """Name the columns that it does not have.

        Raises
        ------
        UserError
            If it has none of them, or one under another name.
        """
        lacks = [name for name in needed if name not in self.kinds]
        others = [name for name in self.kinds if name not in self.read_as]
        renamed = {name: hint for name in lacks if (hint := did_you_mean(name, others) or _same(name, others))}
        if renamed or (len(lacks) == len(needed) and needed):
            name = next(iter(renamed or lacks))
            raise UserError(
                "The file lacks a column that the model was trained on."
                if renamed
                else "The file has none of the columns of the training data.",
                where=self.source.address,
                found=", ".join(self.kinds),
                expected=", ".join(lacks[:8]),
                fix=f"name the columns as they were in training{renamed.get(name, '')}",
            )
        return lacks

    def pieces(self, wanted: Sequence[str], size: int) -> Iterator[pd.DataFrame]:
        """Give the rows in their order, in frames of a size; a value that does not fit stands in its column as text."""
        names = [name for name in dict.fromkeys(wanted) if name in self.kinds]
        parts = [part for name in names for part in self._parts(name)]
        with self._in_words():
            stream = duckdb().con.execute(f"SELECT {', '.join(parts)} FROM {self.rows}").to_arrow_reader(size)
            for batch in _resized(stream, size):
                yield _frame(batch, names)

    def _parts(self, name: str) -> list[str]:
        column, kind = quoted(name), self.kinds[name]
        how = self.read_as.get(name, ColumnReading("text"))
        if how.type == "integer":  # 5.0 is how some programs write 5
            how = replace(how, type="number")
        read, unfit = column, ""
        if kind == "text":
            read = reading.parsed(column, how)
            if how.type != "text":
                unfit = f"CASE WHEN {reading.unfit(column, how)} THEN {column} END"
        elif how.type == "text":
            read = LABEL.format(column) if kind == "number" else f"{column}::VARCHAR"
        elif how.type == "number" and kind in ("integer", "number", "boolean"):
            read = f"{column}::DOUBLE"
        elif how.type == "boolean" and kind in ("integer", "number"):
            read = f"CASE {column} WHEN 1 THEN true WHEN 0 THEN false END"
            unfit = f"CASE WHEN {read} IS NULL THEN {column}::VARCHAR END"
        elif {how.type, kind} <= {"date", "moment"}:
            read = f"{column}::TIMESTAMP"
        elif how.type != kind:
            read, unfit = "NULL", f"{column}::VARCHAR"
        return [f"{read} AS {column}", *([f"{unfit} AS {quoted(UNFIT + name)}"] if unfit else [])]

    def rejected(self) -> list[tuple[int, str]]:
        """Give the lines of a CSV that do not fall into as many values as the header, and why; when all is read."""
        if not self.rejects:
            return []
        found = duckdb().con.execute(f"SELECT line, min(error_message) FROM {self.rejects} GROUP BY line ORDER BY line")
        return [(int(line), str(message)) for line, message in found.fetchall()]


class LaterProject(Later):
    """The sources of a project, joined as where the model learnt.

    Parameters
    ----------
    charter
        Its sources and how they are joined.
    readings
        How they were read then.
    sample, seed
        Draw this many rows at most.

    Raises
    ------
    UserError
        If one of them cannot be read the same way.
    """

    def __init__(self, charter: Charter, readings: Readings, sample: int | None = None, seed: int = 0) -> None:
        found = tables.read_all(charter, readings)
        for one in found:
            tables.case_rows(one)
        self.source, self.read_as, self.rejects = charter.base, readings.columns, ""
        self.frame = tables.joined_table(charter, found, sample, seed)
        self.kinds = {str(name): "" for name in self.frame}

    def pieces(self, wanted: Sequence[str], size: int) -> Iterator[pd.DataFrame]:
        """Give the rows in their order, in frames of a size."""
        frame = self.frame[[name for name in dict.fromkeys(wanted) if name in self.frame]]
        for start in range(0, len(frame), size):
            yield frame.iloc[start : start + size].reset_index(drop=True)


def _same(name: str, others: Sequence[str]) -> str:
    alike = next((other for other in others if other.casefold() == name.casefold()), "")
    return f"; did you mean `{alike}`?" if alike else ""


def _resized(stream: Any, size: int) -> Iterator[pa.Table]:
    """Cut a stream of batches into pieces of the same size, so that a piece is the same in every run."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    for batch in stream:
        waiting.append(pa.Table.from_batches([batch]))
        while sum(piece.num_rows for piece in waiting) >= size:
            together = pa.concat_tables(waiting)
            yield together.slice(0, size)
            waiting = [together.slice(size)]
    last = pa.concat_tables(waiting) if waiting else None
    if last is not None and last.num_rows:
        yield last


def _frame(piece: pa.Table, names: Sequence[str]) -> pd.DataFrame:
    from ibis.formats.pandas import PandasData
    from ibis.formats.pyarrow import PyArrowSchema

    frame = pd.DataFrame({name: piece[name].to_pandas() for name in piece.column_names})
    frame = PandasData.convert_table(frame, PyArrowSchema.to_ibis(piece.schema))
    for name in names:
        unfit = frame.get(UNFIT + name)
        if unfit is not None and unfit.notna().any():
            known = frame[name].astype(object).where(frame[name].notna(), None)
            frame[name] = known.where(unfit.isna(), unfit)
    return frame[list(names)]
