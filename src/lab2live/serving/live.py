"""Which bundle answers now: loading another one meanwhile, going back, and what is left if one is broken."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lab2live.errors import UserError
from lab2live.handoff import bundle as bundles
from lab2live.handoff.bundle import Bundle
from lab2live.handoff.checking import A_VALUE, is_value, strangers
from lab2live.handoff.deciding import UNSETTLED, Decided, Deciding, instead, settled

# Seconds that an answer may take where no contract is left to say it.
TIME_OUT = 1.0


@dataclass(frozen=True)
class Running:
    """A bundle as it was read at one moment.

    Attributes
    ----------
    name
        The first letters of the hash of its manifest; empty where there is none.
    decides
        What answers about cases; `None` where not enough is left to read a case.
    bundle
        What could be read; `None` where not even the contract is left.
    problem
        Why the model does not answer; empty if it does.
    """

    name: str
    decides: Deciding | None
    bundle: Bundle | None
    problem: str = ""

    @property
    def seconds(self) -> float:
        """How long the model may take for an answer."""
        return TIME_OUT if self.bundle is None else float(self.bundle.contract["limits"]["time_out_ms"]) / 1000

    @cached_property
    def fields(self) -> set[str]:
        """The names that a case may have."""
        if self.decides is None:
            return set()
        return {field["name"] for field in self.decides.fields} | {*self.decides.identifiers, *self.decides.unasked}

    @cached_property
    def loose(self) -> set[str]:
        """Those of them that the contract says nothing about: what names a case, free text, and what is computed."""
        assert self.decides is not None
        derived = {field["name"] for field in self.decides.fields if "derived" in field}
        return self.fields - {field["name"] for field in self.decides.fields} | derived

    def about(self, cases: Sequence[Mapping[str, Any]], trigger: str = "") -> Decided:
        """Answer about some cases, each a mapping of field to value; see `Deciding.about`."""
        if self.decides is None:
            return self.plainly(len(cases), "integrity")
        trigger = "integrity" if self.problem else trigger
        wrong = [self._wrong(case) for case in cases]
        unasked = self.decides.unasked
        given = {name for case in cases for name in case} & self.fields
        rows = {name: [case.get(name, unasked.get(name)) for case in cases] for name in given}
        found = self.decides.about(rows, len(cases), ["invalid_input" if texts else trigger for texts in wrong])
        for problems, texts in zip(found.problems, wrong, strict=True):
            problems += texts
        return found

    def _wrong(self, case: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Name what nobody asks for, and what is no single value where the contract does not say more."""
        assert self.decides is not None
        loose = self.loose & case.keys()
        return strangers(case, self.fields) + [(name, A_VALUE) for name in sorted(loose) if not is_value(case[name])]

    def plainly(self, count: int, trigger: str) -> Decided:
        """Answer without looking at a case: by the baseline, or by a person where that is the charter's will.

        For when no case can be read any more, or the project's own code takes as long as the model.
        """
        who = UNSETTLED
        if self.bundle is not None:
            who = settled(self.bundle.contract["fallback"]["policy"], trigger)
        outputs: list[str | float | None] = [None] * count
        if self.bundle is not None and who != UNSETTLED:
            who, (outputs[:], _) = "baseline", instead(self.bundle, "baseline", None, count)
        texts = (np.array([text] * count, dtype=object) for text in (who, trigger))
        source, reason = texts
        nothing: list[list[tuple[str, str]]] = [[] for _ in range(count)]
        return Decided(np.full(count, np.nan), np.array(outputs, dtype=object), source, reason, nothing)


# What a drill may do to a model, and for how many seconds it hangs.
FAULTS = ("", "fails", "hangs")
HANGS = 3.0


@dataclass(frozen=True)
class Disturbed:
    """A model that fails or hangs."""

    model: Any
    fault: str

    @property
    def own(self) -> bool:
        return bool(self.model.own)

    def answer(self, inputs: Any) -> np.ndarray:
        """Fail, or answer late."""
        if self.fault == "fails":
            raise RuntimeError("a drill")
        time.sleep(HANGS)
        return np.asarray(self.model.answer(inputs))


def read(folder: Path) -> Running:
    """Load a bundle, or what is left of it; never an error."""
    name = _name(folder)
    try:
        found = bundles.load(folder)
        running = Running(name, Deciding.of(found), found)
        typical = [case["values"] for case in found.form()["cases"]]
        running.about([{}, *typical])  # the first answers load what later ones need
        return running
    except ImportError as error:
        problem = f"{error.name or 'a package'} is not installed here, and the manifest says that it is needed"
    except Exception as error:  # a file that is missing or changed, or that cannot be read: whatever it is
        problem = str(error) if isinstance(error, UserError) else f"{type(error).__name__} while it was loaded"
    left = bundles.salvage(folder)
    try:
        running = Running(name, None if left is None else Deciding.of(left), left, problem)
        running.about([{}])  # what cannot read a case here has to be told from what can
        return running
    except Exception:
        return Running(name, None, left, problem)


def _name(folder: Path) -> str:
    try:
        return hashlib.sha256((folder / bundles.MANIFEST).read_bytes()).hexdigest()[:12]
    except OSError:
        return ""


@dataclass
class Live:
    """The bundle that answers now, and the one before it.

    Attributes
    ----------
    folder
        Where bundles are read from.
    now, before
        The bundle that answers, and the one that did until the last reload.
    intact
        Whether the files in the folder were as their manifest says when they were last looked at.
    drifted
        Whether somebody has declared that the data have drifted: then the model is not asked.
    """

    folder: Path
    now: Running
    before: Running | None = None
    intact: bool = True
    drifted: bool = False
    _one: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def of(cls, folder: Path) -> Live:
        """Read a bundle; one that is broken is answered for by the fallback."""
        now = read(folder)
        return cls(folder, now, intact=not now.problem)

    def reload(self) -> Running:
        """Read the folder again; what answered before is kept, to go back to."""
        with self._one:
            found = read(self.folder)
            if not self.now.problem:  # a broken one is nothing to go back to
                self.before = self.now
            self.now, self.intact = found, not found.problem
            return found

    def rollback(self) -> Running | None:
        """Go back to the bundle before the last reload; `None` if there is none."""
        with self._one:
            if self.before is None:
                return None
            self.now, self.before = self.before, None if self.now.problem else self.now
            return self.now

    def look(self) -> bool:
        """Look whether the files are still those that the manifest names."""
        self.intact = bundles.is_intact(self.folder)
        return self.intact

    def disturb(self, fault: str) -> None:
        """Make the model fail or hang, for a drill; or let it be, where `fault` is empty."""
        now, model = self.now, self.now.bundle.model if self.now.bundle else None
        if model is None or now.bundle is None or now.decides is None:
            return
        sound = model.model if isinstance(model, Disturbed) else model
        bundle = replace(now.bundle, model=Disturbed(sound, fault) if fault else sound)
        self.now = replace(now, bundle=bundle, decides=replace(now.decides, bundle=bundle))

    def about(self, cases: Sequence[Mapping[str, Any]], trigger: str = "") -> tuple[Running, Decided]:
        """Answer about some cases with the bundle that is live now."""
        now = self.now
        return now, now.about(cases, trigger or ("drift" if self.drifted else ""))
