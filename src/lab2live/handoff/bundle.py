"""The bundle: everything that is needed to run the model elsewhere, hashed, and loaded only if the hashes agree."""

from __future__ import annotations

import hashlib
import importlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from lab2live import files
from lab2live.charter.schema import Charter
from lab2live.data.encoding import Columns
from lab2live.data.sources.reading import Readings
from lab2live.errors import UserError
from lab2live.handoff import export
from lab2live.handoff.deploying import locked
from lab2live.pipeline import hooks
from lab2live.pipeline.evidence import Evidence

if TYPE_CHECKING:
    import pandas as pd

    from lab2live.explainability.explainer import Explainer

MANIFEST = "manifest.json"
CONTRACT = "contract.json"
CARD = "model_card.md"
READINGS = "explain/readings.json"
EXPLAINER, FORM, EXPLAINED_MODEL = "explain/explainer.json", "explain/form.json", "explain/model.skops"
VERSION = 4


def write(
    folder: Path,
    model_format: str,
    model: bytes,
    contract: Mapping[str, Any],
    code: Path | None,
    card: str,
    more: Mapping[str, bytes] | None = None,
    needs: Mapping[str, Any] | None = None,
    trusted: Sequence[str] = (),
) -> None:
    """Write a bundle; what an earlier one left in the folder is removed.

    Parameters
    ----------
    folder
        Where it goes.
    model_format, model
        See `export.export`.
    contract
        What goes in and what comes out.
    code
        The folder of the project's own package: its features and rules travel with the model.
    card
        The model card, Markdown.
    more
        Any further files, name -> content: what explains its answers (see `explaining`), what watches over it, how
        it is deployed.
    needs
        What has to be installed for what, see `deploying.locked.Needs.manifest`.
    trusted
        Types that somebody has reviewed and named, as in the charter's `deployment.trusted_types`. The manifest lists
        those that the model is made of, and it is loaded with exactly these.

    Raises
    ------
    UserError
        If the model is made of any other type.
    """
    from lab2live.poc.comparison import chosen

    contents = {
        f"model.{model_format}": model,
        CONTRACT: _json(contract),
        CARD: card.encode(),
        **(more or {}),
    }
    types = {
        one for name, content in contents.items() if name.endswith(".skops") for one in chosen.trusted(content, trusted)
    }
    if code is not None:
        own = sorted(one for one in types if one.startswith(f"{code.name}."))
        if own:
            raise UserError(
                "The model is made of types of the project's own package, which no bundle can import.",
                where=code,
                found=", ".join(own),
                expected="types of installed packages",
                fix="build it from scikit-learn's types, or put these types into a package of requirements-own.in",
            )
        contents |= {f"code/{path.name}": path.read_bytes() for path in locked.travelling(code)}
    if folder.exists():
        for old in sorted(folder.rglob("*"), reverse=True):
            old.rmdir() if old.is_dir() else old.unlink()
    for name, content in contents.items():
        files.write_bytes(folder / name, content)
    manifest = {
        "version": VERSION,
        "format": model_format,
        "trusted_types": sorted(types),
        **({} if needs is None else {"needs": files.plain(needs)}),
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(contents.items())},
    }
    files.write_json(folder / MANIFEST, manifest)


def explaining(explainer: Explainer, form: Mapping[str, Any], personal: bool, readings: Readings) -> dict[str, bytes]:
    """Give what a bundle needs to explain its answers.

    Parameters
    ----------
    explainer
        Learnt from the training part.
    form
        See `form.describe`.
    personal
        Whether the data are personal: then no real case leaves with the bundle.
    readings
        How the data were read: later files are read the same way.
    """
    kept = replace(explainer, space=explainer.space.without_people()) if personal else explainer
    return {
        EXPLAINER: _json(kept.to_dict()),
        FORM: _json(form),
        READINGS: _json(readings.as_dict()),
        EXPLAINED_MODEL: export.to_skops(explainer.model),
    }


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(files.plain(content), indent=2, ensure_ascii=False) + "\n").encode()


@dataclass(frozen=True)
class Bundle:
    """A model that was checked and loaded.

    Attributes
    ----------
    folder
        Where it lies.
    contract
        What `contract.json` says.
    model
        An `OnnxModel` or `SkopsModel`; `None` where only the rest could be saved, see `salvage`.
    contents
        Every file but the model, name -> checked content.
    trusted
        The types that its skops files may hold.
    """

    folder: Path

    contract: Mapping[str, Any]
    columns: Columns
    model: Any
    features: ModuleType | None
    rules: ModuleType | None
    contents: Mapping[str, bytes]
    trusted: Sequence[str] = ()

    @property
    def own(self) -> bool:
        """Whether the model takes original columns, as one of the project's own does, instead of prepared ones."""
        return self.model is not None and bool(self.model.own)

    @property
    def asked(self) -> Any:
        """The model.

        Raises
        ------
        UserError
            If only the rest of the bundle could be saved.
        """
        if self.model is None:
            raise UserError("The model of this bundle is missing or was changed.", where=self.folder)
        return self.model

    def predict(self, raw: pd.DataFrame) -> np.ndarray:
        """Answer for rows as the sources deliver them, joined: one number per row, see `models.predict`."""
        return self.asked.predict(self.taken(self.featured(raw)))

    def taken(self, featured: pd.DataFrame) -> pd.DataFrame:
        """Give rows with the project's own columns as the model takes them."""
        from lab2live.data.feature_types import prepare

        return featured if self.own else prepare(featured, self.columns)

    def rule(self, raw: pd.DataFrame) -> np.ndarray:
        """Answer by the business rule that travelled along."""
        if self.rules is None:
            raise UserError("The bundle has no business rule.", expected="rules.py in the project's package")
        return np.asarray(self.rules.score(self.featured(raw)))

    def explainer(self) -> Explainer:
        """Give what answers questions about a case.

        Raises
        ------
        UserError
            If the bundle was written without it.
        """
        from lab2live.explainability.explainer import Explainer

        model = export.load_skops(self._explaining(EXPLAINED_MODEL), self.trusted).model
        return Explainer.from_dict(self.explained, model, self.featured)

    @cached_property
    def explained(self) -> dict[str, Any]:
        """What `Explainer.to_dict` gave."""
        kept: dict[str, Any] = json.loads(self._explaining(EXPLAINER))
        return kept

    @cached_property
    def readings(self) -> Readings:
        """How the data were read that the model learnt from."""
        return Readings.from_dict(json.loads(self._explaining(READINGS)))

    def form(self) -> dict[str, Any]:
        """Give the fields that a person fills in, see `form.describe`."""
        described: dict[str, Any] = json.loads(self._explaining(FORM))
        return described

    def _explaining(self, name: str) -> bytes:
        if name not in self.contents:
            raise UserError(
                "This bundle cannot explain its answers.",
                where=self.folder,
                expected=f"a file {name} in it",
                fix="write it again with this lab2live: lab2live run --stage handoff",
            )
        return self.contents[name]

    def featured(self, raw: pd.DataFrame) -> pd.DataFrame:
        """Add the project's own columns to rows of the joined table."""
        # a copy: the project's function may write into the table it gets
        return raw if self.features is None else self.features.add_features(raw.copy())


def load(folder: Path) -> Bundle:
    """Check every file of a bundle against its manifest, then load it.

    Raises
    ------
    UserError
        If a file is missing, was changed, or should not be there. Nothing is loaded then.
    """
    manifest = _manifest(folder)
    contents, changed = _intact(folder, manifest)
    for name, found in changed.items():
        raise UserError(
            "A file of the bundle is missing or was changed.",
            where=folder / name,
            found=found,
            expected=manifest["files"][name],
            fix="take the bundle again from the run that made it; do not edit it",
        )
    return _loaded(folder, contents, manifest, whole=True)


def salvage(folder: Path) -> Bundle | None:
    """Load what is left of a bundle that is not whole: enough to let the fallback answer, and never the model.

    Only files that are as the manifest says are looked at. `None` where not even the contract is left.
    """
    try:
        manifest = files.read_json(folder / MANIFEST)
        contents, _ = _intact(folder, {"files": dict(manifest["files"])})
        return _loaded(folder, contents, manifest, whole=False) if CONTRACT in contents else None
    except Exception:  # whatever stands there instead of a manifest, or of what it names
        return None


def _intact(folder: Path, manifest: Mapping[str, Any]) -> tuple[dict[str, bytes], dict[str, str]]:
    """Read the files that are as the manifest says, and say what was found of the others."""
    contents: dict[str, bytes] = {}
    changed: dict[str, str] = {}
    for name, expected in manifest["files"].items():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            changed[name] = "no such file"
            continue
        found = hashlib.sha256(content).hexdigest()
        if found == expected:
            contents[name] = content
        else:
            changed[name] = found
    return contents, changed


def _loaded(folder: Path, contents: Mapping[str, bytes], manifest: Mapping[str, Any], *, whole: bool) -> Bundle:
    contract = json.loads(contents[CONTRACT])
    columns = Columns(
        {entry["name"]: entry["kind"] for entry in contract["inputs"]},
        {entry["name"]: tuple(entry["categories"]) for entry in contract["inputs"] if entry["kind"] == "category"},
    )
    model: export.OnnxModel | export.SkopsModel | None = None
    trusted = manifest["trusted_types"]
    if whole:
        content, is_onnx = contents[f"model.{manifest['format']}"], manifest["format"] == "onnx"
        model = export.load_onnx(content, columns) if is_onnx else export.load_skops(content, trusted)
    kept = {name: content for name, content in contents.items() if not name.startswith("model.")}
    try:
        features, rules = _code(folder, contents)
    except Exception:  # the user's code, which may lean on what is missing
        if whole:
            raise
        features = rules = None
    return Bundle(folder, contract, columns, model, features, rules, kept, trusted)


def is_intact(folder: Path) -> bool:
    """Say whether a bundle is still as its manifest says."""
    try:
        return not _intact(folder, _manifest(folder))[1]
    except UserError:
        return False


def _manifest(folder: Path) -> dict[str, Any]:
    """Read what the bundle says it holds, and refuse one that holds something else besides."""
    path = folder / MANIFEST
    manifest = files.read_json(path)
    if (
        not isinstance(manifest, dict)
        or manifest.get("version") != VERSION
        or not isinstance(manifest.get("files"), dict)
        or not isinstance(manifest.get("trusted_types"), list)
    ):
        raise UserError(
            "This is not the manifest of a bundle that can be read here.",
            where=path,
            expected=f"version {VERSION}, with `format`, `trusted_types` and `files`",
            fix="take the bundle again from the run that made it, or use the lab2live that made it",
        )
    inside = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    strangers = sorted(inside - {MANIFEST, *manifest["files"]})
    needed = {CONTRACT, f"model.{manifest.get('format')}"}
    missing = sorted((needed - set(manifest["files"])) | (set(manifest["files"]) - inside))
    if strangers or missing:
        raise UserError(
            "The bundle does not hold what its manifest says.",
            where=folder,
            found=f"files that nobody named: {', '.join(strangers)}" if strangers else f"no {', '.join(missing)}",
            expected=f"the files in {MANIFEST} and no others",
            fix="take the bundle again from the run that made it; do not edit it",
        )
    return manifest


def _code(folder: Path, contents: Mapping[str, bytes]) -> list[ModuleType | None]:
    """Import features and rules, as modules of a package that no other bundle of this process meets."""
    package = f"lab2live_bundle_{next(_CHECKED.numbers)}"
    code = {path.stem: (path, contents[name]) for name in contents if (path := Path(name)).parent.name == "code"}
    code.setdefault("__init__", (Path("code/__init__.py"), b""))
    for stem, (path, content) in code.items():
        name = package if stem == "__init__" else f"{package}.{stem}"
        _CHECKED.sources[name] = compile(content, str(folder / path), "exec", dont_inherit=True)
    return [importlib.import_module(f"{package}.{name}") if name in code else None for name in ("features", "rules")]


class _Checked(MetaPathFinder, Loader):
    """Imports the code of bundles from the very bytes that were checked, and never from where they lie."""

    def __init__(self) -> None:
        self.sources: dict[str, CodeType] = {}
        self.numbers = itertools.count()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in self.sources:
            return None
        return ModuleSpec(name, self, origin=self.sources[name].co_filename, is_package="." not in name)

    def exec_module(self, module: ModuleType) -> None:
        exec(self.sources[module.__name__], module.__dict__)


_CHECKED = _Checked()
sys.meta_path.append(_CHECKED)


# What the fresh process runs. Where everything is installed in one place, that place has to stay.
_ALONE = """
import sys
source, *arguments = sys.argv[1:]
if "site-packages" not in source:
    sys.path = [path for path in sys.path if path != source]
from lab2live.handoff import bundle
bundle.answer(*arguments)
"""


def ask_in_fresh_process(folder: Path, raw: pd.DataFrame) -> np.ndarray:
    """Load the bundle in a new Python that knows nothing of this project, and ask it.

    Parameters
    ----------
    folder
        The bundle.
    raw
        Rows as the sources deliver them.

    Returns
    -------
    numpy.ndarray
        Its answers, shape (rows,).

    Raises
    ------
    UserError
        With what the other process said, if it failed.
    """
    from lab2live.data.feature_types import storable

    with tempfile.TemporaryDirectory(prefix="lab2live-bundle-") as work:
        rows, answers = Path(work) / "rows.parquet", Path(work) / "answers.npy"
        storable(raw).to_parquet(rows)
        # The machinery, and nothing of the project: the bundle has to bring that along. So the machinery is copied, and
        # the folder it came from, where the project's own package may lie beside it, is taken off the path.
        machinery = Path(__file__).resolve().parents[1]
        alone = Path(work) / "machinery"
        shutil.copytree(machinery, alone / machinery.name, ignore=shutil.ignore_patterns("demo"))
        environment = {**os.environ, "PYTHONPATH": str(alone)}
        environment.pop("LAB2LIVE_PROJECT", None)
        arguments = [str(machinery.parent), str(folder.resolve()), str(rows), str(answers)]
        command = [sys.executable, "-P", "-c", _ALONE, *arguments]
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = (done.stderr.strip() or "nothing").splitlines()
            raise UserError("A fresh process could not use the bundle.", where=folder, found=said[-1])
        loaded: np.ndarray = np.load(answers, allow_pickle=False)
        return loaded


def reloaded(parity: export.Parity) -> Evidence:
    """Say whether the bundle gives the predictions that were tested."""
    said = f"All {parity.rows:,} predictions are those of the tested model."
    if parity.disagreeing:
        said = f"{parity.disagreeing:,} of {parity.rows:,} predictions differ from those of the tested model."
    return Evidence(parity.disagreeing, said)


def code_of(charter: Charter) -> Path | None:
    """Find the folder of the project's own package, which travels in the bundle."""
    features = hooks.module(charter, "features")
    return Path(features.__file__).parent if features is not None and features.__file__ else None


def answer(folder: str, rows: str, answers: str) -> None:
    """Load a bundle and write its answers to the rows of a Parquet file: what the fresh process does."""
    import pandas as pd

    np.save(answers, load(Path(folder)).predict(pd.read_parquet(rows)), allow_pickle=False)
