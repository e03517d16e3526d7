"""The project's own package: its derived columns and its business rule, found through the charter."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lab2live.charter.schema import Charter
from lab2live.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def module(charter: Charter, name: str) -> ModuleType | None:
    """Import one module of the project's package.

    Parameters
    ----------
    charter
        Names the package in `project.package`.
    name
        `features` or `rules`.

    Returns
    -------
    module or None
        `None` when the charter names no package.

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
    full_name = f"{charter.project.package}.{name}"
    try:
        found = importlib.import_module(full_name)
    except (Exception, SystemExit) as error:  # the user's code: whatever it raises is theirs to read
        raise UserError(
            f"The project's own module `{full_name}` cannot be imported.",
            where=f"{charter.file}, field `project.package`",
            found=f"{type(error).__name__}: {error}",
            expected=f"{source}/{full_name.replace('.', '/')}.py",
            fix="correct the module, or the package name in the charter",
        ) from error
    own = charter.folder / "src" / charter.project.package.replace(".", "/")
    if own.is_dir() and not Path(found.__file__ or "").resolve().is_relative_to(own.resolve()):
        raise UserError(
            "Another package has the name of the project's own, and Python found that one.",
            where=f"{charter.file}, field `project.package`",
            found=found.__file__,
            expected=own,
            fix="rename the project's package, or run in an environment without the other one",
        )
    return found


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
    added = _call(charter, features, "add_features", frame.copy())
    if not isinstance(added, pd.DataFrame):
        raise UserError(
            "`add_features` has to give back a table.",
            where=features.__file__,
            found=type(added).__name__,
            expected="a pandas.DataFrame with the same rows",
            fix="end the function with `return frame`",
        )
    if not added.index.equals(frame.index):
        raise UserError(
            "`add_features` changed the rows of the table.",
            where=features.__file__,
            found=f"{len(added)} rows for {len(frame)}" if len(added) != len(frame) else "another order or index",
            expected="the same rows in the same order: each row is computed from itself alone",
            fix="add columns only; filter or sort elsewhere",
        )
    return added


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

        answer = np.asarray(_call(charter, rules, "score", frame.copy()))
        if answer.shape != (len(frame),) or bool(pd.isna(answer).any()):
            raise UserError(
                "`score` must answer every row.",
                where=rules.__file__,
                found=f"shape {answer.shape}, {int(pd.isna(answer).sum())} missing",
                expected=f"shape ({len(frame)},), none missing",
                fix="give rows with missing inputs a default answer",
            )
        return answer

    return scored


def _call(charter: Charter, owner: ModuleType, name: str, frame: pd.DataFrame) -> Any:
    try:
        return getattr(owner, name)(frame)
    except (Exception, SystemExit) as error:  # the user's code again
        raise UserError(
            f"`{name}` of the project's own package failed.",
            where=owner.__file__,
            found=f"{type(error).__name__}: {error}",
            expected=f"a function {name}(frame) that works on the columns {', '.join(map(str, frame.columns))}",
            fix="run the project's own tests: pytest tests",
        ) from error
