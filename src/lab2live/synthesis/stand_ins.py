"""The address `simulated://` (G1): a silo nobody may read yet, simulated so that the journey goes on."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab2live.charter.schema import PUBLIC_SCHEME, SIMULATED_SCHEME, Charter, Source
from lab2live.data.sources import tables
from lab2live.errors import UserError
from lab2live.synthesis import simulate
from lab2live.synthesis.demo_silos import put


def stand_in(charter: Charter, source: Source) -> Path:
    """Give the file behind `simulated://`, simulating every such source of the charter when it is not there yet.

    Parameters
    ----------
    charter, source
        The files are written to `data/simulated` of the project, and again when anything changes that they depend on.

    Raises
    ------
    UserError
        If the charter does not say enough, or says something that cannot be simulated.
    """
    home, key = charter.folder / "data" / "simulated", _key(charter)

    def current() -> bool:
        truth = simulate.read_truth(home)
        return truth.get("key") == key and all((home / name).is_file() for name in truth["files"])

    def fill(work: Path) -> None:
        real = {other.name: tables.read(charter, other) for other in charter.sources if not _to_simulate(other)}
        unread = [name for name, reading in real.items() if reading.table is None]
        readable = {name: reading for name, reading in real.items() if name not in unread}
        samples = simulate.read_samples(charter, None)
        simulate.fill(charter, work, samples, readable, {"key": key, "unread": unread})

    if source.address != SIMULATED_SCHEME:
        raise UserError(
            "This address is not known.",
            where=f"{charter.file}, field `sources ({source.name})`",
            found=source.address,
            expected=f"{SIMULATED_SCHEME} alone, or {PUBLIC_SCHEME}NAME",
            fix=f"write {SIMULATED_SCHEME}; which columns it has stands in `columns`",
        )
    if not current():
        put(home, fill, current)
    return home / simulate.read_truth(home)["sources"][source.name]["file"]


def _to_simulate(source: Source) -> bool:
    return source.address.startswith(SIMULATED_SCHEME)


def _key(charter: Charter) -> str:
    """Hash all that simulated files depend on: what the charter says, and the real files they have to join with."""
    said = charter.model_dump_json(include={"sources", "prediction", "join", "simulate"})
    digest = hashlib.sha256(f"{simulate.GENERATOR}|{said}".encode())
    addresses = [source.address for source in charter.sources if not _to_simulate(source)]
    for address in [*addresses, *charter.simulate.sample.values()]:
        place = charter.locate(address)
        if isinstance(place, Path):
            stamps = sorted(place.rglob("*")) if place.is_dir() else [place]
            facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in stamps if path.is_file()]
            digest.update(repr(facts).encode())
    return digest.hexdigest()
