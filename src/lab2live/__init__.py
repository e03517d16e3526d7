"""The library behind the notebooks: from a charter and its sources to a verdict with evidence.

Nothing heavy is imported here, so that `lab2live --help` and a notebook's first cell stay fast. What a project's own
package needs is named here on purpose: ``from lab2live import Evidence, Finding, Gate, check``.
"""

from typing import Any

from lab2live.synthesis import schemes as _schemes  # noqa: F401  registers demo://, simulated://, public://

__all__ = ["Evidence", "Finding", "Gate", "check"]

_HOMES = {
    "Evidence": "lab2live.pipeline.evidence",
    "Finding": "lab2live.eda.checks.findings",
    "Gate": "lab2live.charter.gates",
    "check": "lab2live.eda.checks.registry",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":  # of a checkout it has to be computed from the files
        globals()[name] = import_module("lab2live.wheel").version()
        return globals()[name]
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
