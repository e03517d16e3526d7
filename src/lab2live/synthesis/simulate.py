"""The command `lab2live simulate` (T3): data simulated from a charter, learnt from a sample, or public, as files."""

from __future__ import annotations

import csv
import json
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from lab2live import files
from lab2live.charter import loading as charters
from lab2live.charter.schema import Charter, Source
from lab2live.data.feature_types import storable
from lab2live.data.sources import tables as sources
from lab2live.errors import UserError
from lab2live.reporting.formatting import amount
from lab2live.synthesis import faults, public

if TYPE_CHECKING:
    from lab2live.data.sources.tables import Reading

# Raise this when the same charter gives other files, so that copies written earlier are made again.
GENERATOR = 1
TRUTH = "truth.json"
CLOSENESS = ("closeness.json", "closeness.html")
MARK = "Simulated by lab2live: nothing in it is an observation."
NOT_ANONYMOUS = "Learnt from a sample and not anonymous: its cells are real ones in new combinations."
KINDS = (".csv", ".parquet", ".tsv", ".txt", ".xlsx", ".sqlite", ".db")

Say = Callable[[str], None]


def write(
    spec: Path,
    out: Path,
    rows: int | None = None,
    seed: int | None = None,
    sample: Path | None = None,
    say: Say = print,
) -> list[Path]:
    """Simulate all sources of a charter into a folder of their own.

    Parameters
    ----------
    spec
        A charter, or the folder of one; only sources, prediction, join and simulate matter.
    out
        New, empty, or written by this function before.
    rows, seed
        Instead of those in the charter.
    sample
        A folder of files named like the sources, with real rows to learn from; or one file, for one source.
    say
        Is told what happens.

    Returns
    -------
    list of Path
        What was written: one file per source, `truth.json`, and with a sample the report on how close it comes.
    """
    charter = charters.read(spec / charters.FILE if spec.is_dir() else spec)
    say(f"Read {charter.file}: {amount(len(charter.sources), 'source')}, to predict {charter.prediction.target}.")
    samples = read_samples(charter, sample)
    for name, frame in samples.items():
        say(f"Learning {name} from a sample of {amount(len(frame), 'row')}.")
    return _into(out, lambda work: fill(charter, work, samples, {}, {}, rows, seed, say), say)


def write_public(name: str, out: Path, say: Say = print) -> list[Path]:
    """Write one public table into a folder, with a note of where it comes from."""
    table = public.find(name)
    say(f"Loading {table.name}: {table.what}.")

    def fetch(work: Path) -> None:
        file = public.load(name, work)
        note = {"simulated": False, "stand_in": True, "public": table.name, "target": table.target}
        note |= {"origin": table.origin, "licence": table.licence, "files": [file.name]}
        files.write_json(work / TRUTH, note)

    return _into(out, fetch, say)


def _into(out: Path, make: Callable[[Path], Any], say: Say) -> list[Path]:
    """Write somewhere else first, then move file by file: nothing is touched before all of it is there."""
    found = {path.name for path in out.iterdir()} if out.is_dir() else set()
    own = {TRUTH, *read_truth(out).get("files", [])} if TRUTH in found else set()
    if out.exists() and (not out.is_dir() or found - own):
        raise UserError(
            "This folder holds something that `lab2live simulate` did not write.",
            where=out,
            found=", ".join(sorted(found - own)[:5]) or "a file",
            expected="a new or empty folder, or one that it wrote earlier",
            fix="name another folder",
        )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".simulated-") as work:
            make(Path(work))
            out.mkdir(exist_ok=True)
            # the note goes first and comes last: a folder without it is nobody's, and never written over
            made = sorted((path.name for path in Path(work).iterdir()), key=lambda name: (name == TRUTH, name))
            for name in made:
                os.replace(Path(work) / name, out / name)
            for name in own - {*made}:
                (out / name).unlink(missing_ok=True)
    except OSError as error:
        raise UserError("The folder cannot be written.", where=out, found=error, fix="name another folder") from None
    for name in made:
        say(f"Wrote {out / name}")
    return [out / name for name in made]


def fill(
    charter: Charter,
    work: Path,
    samples: Mapping[str, pd.DataFrame],
    real: Mapping[str, Reading],
    note: Mapping[str, Any],
    rows: int | None = None,
    seed: int | None = None,
    say: Say | None = None,
) -> None:
    """Simulate, plant what faults are asked for, and write files with the truth about them beside.

    Parameters
    ----------
    charter
        What to simulate.
    work
        An empty folder.
    samples, real
        See `silos.simulate`.
    note
        Kept with the truth.
    rows, seed
        Instead of those in the charter.
    say
        Is told what happens. Without it nobody waits for a report on closeness, and none is made.
    """
    from lab2live.synthesis import plan, silos

    alone = [source.name for source in charter.sources if source.name not in {*samples, *real}]
    plan.check(charter, alone)
    wanted, base = charter.simulate, samples.get(charter.base.name)
    seed = wanted.seed if seed is None else seed
    rows = rows or wanted.rows or (silos.ROWS if base is None else len(base))
    frames, truth = silos.simulate(charter, rows, seed, samples, real)
    tell = say or (lambda _: None)
    tell(truth["note"])
    invented = plan.invented(charter, alone)
    for sentence in invented:
        tell(sentence)
    clean = frames
    frames, planted = _with_faults(charter, frames, seed, tell)
    names = file_names([source for source in charter.sources if source.name in frames])
    for name, file in names.items():
        to_file(frames[name], work / file)
        tell(f"Simulated {name}: {amount(len(frames[name]), 'row')}, {amount(len(frames[name].columns), 'column')}.")
    made = [*names.values()]
    if samples and say is not None:
        from lab2live.synthesis import closeness

        say("Comparing with the sample.")
        found = closeness.compare(charter, samples, clean, seed)
        files.write_json(work / CLOSENESS[0], found)
        files.write_text(work / CLOSENESS[1], closeness.page(found))
        made += CLOSENESS
    content = {
        "simulated": True,
        "what": f"{MARK} {NOT_ANONYMOUS}" if samples else MARK,
        "generator": GENERATOR,
        "seed": seed,
        "rows": {name: len(frames[name]) for name in names},
        "sources": {
            name: {"file": file, "learnt_from_sample": name in samples, "columns": list(frames[name])}
            for name, file in names.items()
        },
        **truth,
        "invented": invented,
        "faults": planted,
        "files": made,
        **note,
    }
    files.write_json(work / TRUTH, content)


def _with_faults(
    charter: Charter, frames: dict[str, pd.DataFrame], seed: int, say: Say
) -> tuple[dict[str, pd.DataFrame], list[Any]]:
    """Plant the faults that the charter asks for, and note where exactly."""
    planted: list[Any] = []
    for number, fault in enumerate(charter.simulate.faults):
        if fault.source not in frames:
            planted.append({**fault.model_dump(), "planted": False, "why": "the source is not simulated"})
            continue
        source = next(source for source in charter.sources if source.name == fault.source)
        column = fault.column or source.key or str(frames[source.name].columns[0])
        about = charter.prediction
        known: dict[str, Any] = {"target": about.target, "time_column": about.time_column, "key": source.key}
        known |= {"base": charter.base.name, "date_column": source.date_column, "delay": about.label_delay_days}
        known["annotators"] = about.annotators or None
        more = {name: value for name, value in known.items() if value is not None}
        try:
            frames, truth = faults.plant(frames, fault.kind, source.name, column, fault.share, seed + number, **more)
        except UserError as error:
            raise UserError(
                str(error).splitlines()[0],
                where=f"{charter.file}, field `simulate.faults[{number}]`",
                found=error.details.get("found"),
                expected=error.details.get("expected"),
                fix=error.details.get("fix", "correct this fault, or leave it out"),
            ) from None
        planted.append({"planted": True, **truth})
        say(f"Planted {fault.kind} into {source.name}, {column}: {amount(truth['rows'], 'row')}.")
    return frames, planted


def file_names(sources: Sequence[Source]) -> dict[str, str]:
    """Name a file for every source, whatever it is called: Parquet where the real one will be, else CSV."""
    names: dict[str, str] = {}
    for source in sources:
        suffix = ".parquet" if (source.uri or "").lower().endswith(".parquet") else ".csv"
        stem = re.sub(r"\W+", "_", source.name).strip("_") or "source"
        taken = {name.lower() for name in names.values()}
        while f"{stem}{suffix}".lower() in taken:
            stem += "_"
        names[source.name] = f"{stem}{suffix}"
    return names


def to_file(frame: pd.DataFrame, path: Path) -> None:
    """Write a table; truth values in a CSV the way YAML and JSON write them."""
    if path.suffix == ".parquet":
        storable(frame).to_parquet(path, index=False)
        return
    words = {True: "true", False: "false"}
    truths = {
        str(name): frame[name].map(words, na_action="ignore")
        for name in frame
        if pd.api.types.is_bool_dtype(frame[name])
    }
    frame.assign(**truths).to_csv(path, index=False, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")


def read_samples(charter: Charter, given: Path | None) -> dict[str, pd.DataFrame]:
    """Read the real rows to learn from: of the command's folder, else those that the charter names."""
    places: dict[str, str] = dict(charter.simulate.sample)
    if given is not None and given.is_file() and len(charter.sources) == 1:
        places = {charter.sources[0].name: str(given.resolve())}
    elif given is not None:
        fitting = {s.name: [given / f"{s.name}{kind}" for kind in KINDS] for s in charter.sources}
        there = {name: next((path for path in paths if path.is_file()), None) for name, paths in fitting.items()}
        places = {name: str(path.resolve()) for name, path in there.items() if path is not None}
        if not places:
            raise UserError(
                "There is no sample of any source.",
                where=given,
                expected=", ".join(f"{source.name}.csv" for source in charter.sources),
                fix="name the files of the sample like the sources of the charter (.csv, .parquet, ...)",
            )
    found: dict[str, pd.DataFrame] = {}
    for name, place in places.items():
        source = next(source for source in charter.sources if source.name == name)
        real: dict[str, Any] = {"uri": place, "stand_in": None, "access": "granted", "aggregate": {}}
        reading = sources.read(charter, source.model_copy(update=real))
        if reading.table is None:
            raise UserError(
                f"The sample of {name} cannot be read.", where=place, found=reading.problem, fix="correct its path"
            )
        found[name] = reading.table.to_pandas()
        absent = [key for key in charter.join_keys if key not in found[name]]
        if absent:
            raise UserError(
                f"The sample of {name} lacks a join key.",
                where=place,
                found=", ".join(map(str, found[name].columns)),
                expected=absent[0],
                fix="export the sample with its keys: a sample of cases, and the rows of the other sources for them",
            )
    from lab2live.synthesis import resample

    return dict(zip(found, resample.with_equal_keys(list(found.values()), charter.join_keys), strict=True))


def read_truth(folder: Path) -> dict[str, Any]:
    """Read what was written beside simulated files, or nothing when it is missing or not ours."""
    try:
        content = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) and isinstance(content.get("files"), list) else {}
