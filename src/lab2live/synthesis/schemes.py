"""The addresses `demo://`, `simulated://` and `public://`, made known to the readers; imports only when one is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab2live.data.sources.schemes import register

if TYPE_CHECKING:
    from lab2live.charter.schema import Charter, Source


def _demo(charter: Charter, source: Source) -> Path:
    from lab2live.synthesis import demo_silos

    return demo_silos.demo_file(source.address, charter.folder)


def _simulated(charter: Charter, source: Source) -> Path:
    from lab2live.synthesis import stand_ins

    return stand_ins.stand_in(charter, source)


def _public(charter: Charter, source: Source) -> Path:
    from lab2live.synthesis import public

    return public.load(source.address, charter.folder / "data" / "public")


for _scheme, _file_of in {"demo": _demo, "simulated": _simulated, "public": _public}.items():
    register(_scheme, _file_of)
