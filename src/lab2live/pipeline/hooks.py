"""The project's own package: features, business rule, candidates, gates and checks, found through the charter."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lab2live.charter import gates
from lab2live.charter.gates import Gate
from lab2live.charter.schema import Charter, unknown_gate
from lab2live.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from lab2live.data.dataset import Dataset

FIX = "correct that file; `make test` runs its tests"


def module(charter: Charter, name: str) -> ModuleType | None:
    """Import one module of the project's package.

    Parameters
    ----------
    charter
        Names the package in `project.package`.
    name
        `features`, `rules`, `models`, `gates` or `checks`.

    Returns
    -------
    module or None
        `None` when the charter names no package, or this one has no such module.

    Raises
    ------
    UserError
        If the package or the module is not there, fails on import, or another one of that name hides it.
    """
    if charter.project.package is None:
        return None
    source = str(charter.folder / "src")
    if source not in sys.path:
        sys.path.insert(0, source)
    full_name, where = f"{charter.project.package}.{name}", f"{charter.file}, field `project.package`"
    home = charter.folder / "src" / charter.project.package.replace(".", "/")
    if home.is_dir() and not (home / f"{name}.py").is_file() and name not in ("features", "rules"):
        return None
    try:
        found = importlib.import_module(full_name)
    except (Exception, SystemExit) as error:  # the user's code: whatever it raises is theirs to read
        problem, file = f"The project's own module `{full_name}` cannot be imported.", home / f"{name}.py"
        place, told = str(file) if file.is_file() else where, f"{type(error).__name__}: {error}"
        raise _own(place, problem, told, file, "correct the module, or the package name in the charter") from error
    if home.is_dir() and not Path(found.__file__ or "").resolve().is_relative_to(home.resolve()):
        problem = "Another package has the name of the project's own, and Python found that one."
        fix = "rename the project's package, or run in an environment without the other one"
        raise _own(where, problem, found.__file__, home, fix)
    return found


def forget(charter: Charter) -> None:
    """Let the next import read the package anew: in a kernel that goes on, its files may have changed since."""
    package = charter.project.package
    for name in [name for name in sys.modules if package and f"{name}.".startswith(f"{package}.")]:
        del sys.modules[name]


def add_features(charter: Charter, frame: pd.DataFrame) -> pd.DataFrame:
    """Add the user's derived columns, and hold the function to its promise: same rows, same order.

    Raises
    ------
    UserError
        If the function fails, or drops, adds or reorders rows.
    """
    import pandas as pd

    features = module(charter, "features")
    if features is None:
        return frame
    # a copy: a function that changes its argument must not change what others hold
    added = _call(features, "add_features", frame.copy())
    if not isinstance(added, pd.DataFrame):
        expected, fix = "a pandas.DataFrame with the same rows", "end the function with `return frame`"
        raise _own(features, "`add_features` has to give back a table.", type(added).__name__, expected, fix)
    if not added.index.equals(frame.index):
        told = f"{len(added)} rows for {len(frame)}" if len(added) != len(frame) else "another order or index"
        expected = "the same rows in the same order: each row is computed from itself alone"
        fix = "add columns only; filter or sort elsewhere"
        raise _own(features, "`add_features` changed the rows of the table.", told, expected, fix)
    return added


def dataset(charter: Charter, table: pd.DataFrame) -> Dataset:
    """Turn the joined table into what models learn from, with the user's features; see `data.dataset`."""
    from lab2live.data import dataset as data

    return data.dataset(charter, table, functools.partial(add_features, charter))


def candidates(charter: Charter, seed: int) -> dict[str, Any]:
    """Give the project's own candidates for the model comparison: name -> unfitted scikit-learn estimator.

    Each is fitted on a frame with the original columns and the user's features: numbers as float64 or int64, text as
    object with None, booleans as bool or object, dates as datetime64. In a classification the target it is fitted on
    are the codes that the built-in models get, too: 0 and 1 for two classes, 1 being the positive one, else 0, 1, 2...
    in the sorted order of the labels; a regression gets floats. Pages and answers show the labels of the charter.

    Raises
    ------
    UserError
        If `candidates(seed)` fails, or gives no dict. A single estimator that cannot be used is left out later.
    """
    models = module(charter, "models")
    if models is None:
        return {}
    found = _call(models, "candidates", seed)
    if not isinstance(found, Mapping):
        raise _own(models, "`candidates` has to give a dict.", type(found).__name__, "{name: estimator}")
    return {str(name): estimator for name, estimator in found.items()}


def own_gates(charter: Charter) -> tuple[dict[str, Gate], list[str]]:
    """Give the project's own gates by id, with what the charter says about them; and what is wrong with others.

    One that cannot be used does not take the others with it.
    """
    try:
        found = module(charter, "gates")
    except UserError as error:
        return {}, [str(error)]
    listed = getattr(found, "GATES", None) if found else []
    known: dict[str, Gate] = {}
    problems: list[UserError] = []
    for gate in listed if isinstance(listed, list | tuple) else [listed]:
        if not isinstance(gate, Gate) or not gate.id.startswith(gates.OWN) or gate.id in known:
            problem = "`GATES` has to be a list of gates whose ids start with `own.`, each once."
            problems.append(_own(found, problem, f"{gate!r}"[:200], "GATES = [Gate(id='own.contacts', ...), ...]"))
        else:
            try:
                known[gate.id] = gate
                known[gate.id] = gate.overridden(charter.gates.get(gate.id))
            except UserError as error:  # its own limits hold
                where = f"{charter.file}, field `gates.{gate.id}`"
                problems.append(UserError(error.problem, where=where, fix="correct warn and fail there"))
    wrong = [name for name in charter.gates if name.startswith(gates.OWN) and name not in known]
    problems += [unknown_gate(name, known, f"{charter.file}, field `gates`") for name in wrong]
    return known, list(map(str, problems))


def _own(where: ModuleType | str | None, problem: str, found: object, expected: object, fix: str = FIX) -> UserError:
    return UserError(problem, where=getattr(where, "__file__", where), found=found, expected=expected, fix=fix)


def rule_is_example(charter: Charter) -> bool:
    """Say whether the rule is still the one that came with the template, which nobody uses today."""
    return bool(getattr(module(charter, "rules"), "EXAMPLE", False))


def rule(charter: Charter) -> Callable[[pd.DataFrame], np.ndarray] | None:
    """Give the user's business rule as a function from table to one number per row, or `None` if there is none.

    The rule is the last fallback, so it has to answer every row: NaN or a wrong length is a `UserError`.
    """
    rules = module(charter, "rules")
    if rules is None:
        return None

    def scored(frame: pd.DataFrame) -> np.ndarray:
        import numpy as np
        import pandas as pd

        answer = np.asarray(_call(rules, "score", frame.copy()))
        if answer.shape != (len(frame),) or bool(pd.isna(answer).any()):
            told = f"shape {answer.shape}, {int(pd.isna(answer).sum())} missing"
            expected, fix = f"shape ({len(frame)},), none missing", "give rows with missing inputs a default answer"
            raise _own(rules, "`score` must answer every row.", told, expected, fix)
        return answer

    return scored


def _call(owner: ModuleType, name: str, given: Any) -> Any:
    try:
        return getattr(owner, name)(given)
    except (Exception, SystemExit) as error:  # the user's code again
        columns = ", ".join(map(str, getattr(given, "columns", ())))
        expected = f"a function `{name}`" + f" that works on the columns {columns}" * bool(columns)
        told = f"{type(error).__name__}: {error}"
        raise _own(owner, f"`{name}` of the project's own package failed.", told, expected) from error
