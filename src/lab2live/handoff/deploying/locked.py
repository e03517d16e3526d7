"""What a bundle needs to be installed: the packages of the project's lock that its tasks ask for, and no others."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from lab2live.errors import UserError
from lab2live.wheel import PACKAGE, PYTHONS

LOCK, OWN_LOCK = "requirements.lock", "requirements-own.lock"
# What lab2live itself imports for a task; tests hold these against what is really loaded. The rest follows from there.
PREDICT = (
    *("numpy", "scipy", "onnxruntime", "fastapi", "uvicorn", "httptools", "uvloop", "prometheus-client"),
    *("pydantic", "rich", "ruamel-yaml", "typer"),
)
TABLES = ("pandas", "matplotlib", "jinja2", "markupsafe", "ipython")
SKLEARN = (*TABLES, "scikit-learn", "skops")
EXPLAIN = (*PREDICT, *SKLEARN, "shap", "pyarrow")
MONITOR = (*EXPLAIN, "papermill", "ipykernel", "nbconvert")
# What of a project's own package no bundle needs: models are exported, gates and checks look at a run.
STAYS = ("models.py", "gates.py", "checks.py")
ORIGINALS = "lab2live.data.originals.Originals"
TASKS = {
    "predict": "`lab2live serve`: /predict and /predict/batch",
    "explain": "/explain and the page for people, `lab2live score`",
    "monitor": "`lab2live monitor`",
}


@dataclass(frozen=True)
class Package:
    """One entry of a lock.

    Attributes
    ----------
    name
        As the lock writes it.
    pin
        `name==version`, with the marker where there is one.
    block
        Its lines: the pin and the hashes.
    via
        Which packages ask for it.
    """

    name: str
    pin: str
    block: str
    via: frozenset[str]


@dataclass(frozen=True)
class Needs:
    """What has to be installed for each task.

    Attributes
    ----------
    packages
        Task -> entries of the lock, in its order.
    unlocked
        What the project's own code imports and the lock does not hold.
    """

    packages: Mapping[str, tuple[Package, ...]]
    unlocked: tuple[str, ...] = ()

    def manifest(self) -> dict[str, Any]:
        """Write it as `manifest.json` holds it."""
        found: dict[str, Any] = {"python": list(PYTHONS)}
        found |= {task: [one.pin for one in packages] for task, packages in self.packages.items()}
        return found | ({"not_in_lock": list(self.unlocked)} if self.unlocked else {})

    def lock(self, *tasks: str) -> bytes:
        """Write a lock of what these tasks need, hashes included."""
        wanted = {(one.name, one.pin): one.block for task in tasks for one in self.packages[task]}
        head = f"# Of the project's {LOCK}, what this bundle needs for: {', '.join(tasks)}.\n"
        return (head + "".join(f"{block}\n" for _, block in sorted(wanted.items()))).encode()


def find(folder: Path) -> str:
    """Read the lock of a project with that of its own packages; for the template's own demo, that of the template.

    Raises
    ------
    UserError
        If there is none.
    """
    for home in (folder, PACKAGE.parents[1]):
        if (home / LOCK).is_file():
            found = [home / name for name in (LOCK, OWN_LOCK) if (home / name).is_file()]
            return "\n".join(path.read_text(encoding="utf-8") for path in found)
    raise UserError(
        "The bundle has to say which packages it needs, and this project has no lock.",
        where=folder / LOCK,
        fix="take it from the template again: cruft update, or git checkout requirements.lock",
    )


def read(lock: str) -> tuple[Package, ...]:
    """Read a lock as `uv pip compile --generate-hashes` writes it; a package that stands in two of them counts once."""
    found: dict[str, Package] = {}
    for entry in re.split(r"(?m)^(?=[A-Za-z0-9])", lock):
        pinned = re.match(r"([A-Za-z0-9._-]+)==[^\\\n]+", entry)
        if pinned is None:
            continue
        lines = entry.rstrip("\n").split("\n")
        block = [line for line in lines if not line.lstrip().startswith("#")]
        said = " ".join(line.strip().lstrip("# ") for line in lines if line.lstrip().startswith("#"))
        via = frozenset(said.removeprefix("via").split())
        pin = pinned[0].strip()
        known = found.get(pin)
        found[pin] = Package(pinned[1], pin, "\n".join(block), via | known.via if known else via)
    return tuple(found.values())


def closure(packages: Iterable[Package], roots: Collection[str]) -> tuple[Package, ...]:
    """Give some packages and all that they ask for, in the order of the lock."""
    packages = tuple(packages)
    wanted = set(roots)
    while more := {one.name for one in packages if one.via & wanted} - wanted:
        wanted |= more
    return tuple(one for one in packages if one.name in wanted)


def needs(lock: str, model_format: str, code: Path | None, types: Collection[str] = ()) -> Needs:
    """Say what has to be installed for each task.

    Parameters
    ----------
    lock
        The text of the project's lock.
    model_format
        `onnx` or `skops`.
    code
        The folder of the project's own package, which travels along; `None` where there is none.
    types
        What the model is made of, see `Bundle.trusted`.

    Raises
    ------
    UserError
        If the lock does not hold what lab2live itself needs.
    """
    packages = read(lock)
    known = {one.name for one in packages}
    roots = {"predict": set(PREDICT), "explain": set(EXPLAIN), "monitor": set(MONITOR)}
    unlocked: set[str] = set()
    if code is not None:
        own = _distributions(code)
        unlocked = own - known
        roots = {task: names | set(TABLES) | own & known for task, names in roots.items()}
    made_of = _installed({one.partition(".")[0] for one in types})
    unlocked |= made_of - known
    roots["explain"], roots["monitor"] = roots["explain"] | made_of & known, roots["monitor"] | made_of & known
    if model_format == "skops":
        roots["predict"] |= set(SKLEARN) | made_of & known
    elif ORIGINALS in types:  # in ONNX, too, a model of the project's own takes its rows from a table
        roots["predict"] |= set(SKLEARN)
    missing = sorted(set().union(*roots.values()) - known)
    if missing:
        raise UserError(
            "The project's lock lacks packages that lab2live needs.",
            where=LOCK,
            found=f"no {', '.join(missing)}",
            fix="take it from the template again: git checkout requirements.lock, or cruft update",
        )
    return Needs({task: closure(packages, names) for task, names in roots.items()}, tuple(sorted(unlocked)))


def travelling(code: Path) -> list[Path]:
    """List the modules of a project's own package that its bundle takes along."""
    return [path for path in sorted(code.glob("*.py")) if path.name not in STAYS]


def _distributions(code: Path) -> set[str]:
    """Find the packages that the modules of a folder import, under the names by which they are installed."""
    imported: set[str] = set()
    for path in travelling(code):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    return _installed(imported - {code.name})


def _installed(modules: Collection[str]) -> set[str]:
    installed = metadata.packages_distributions()
    outside = set(modules) - set(sys.stdlib_module_names) - {"lab2live"}
    return {_normal(name) for module in outside for name in installed.get(module, [module])}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
