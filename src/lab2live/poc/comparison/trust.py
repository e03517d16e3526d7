"""Which types a saved model may be made of: loading any other could run code that nobody has looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lab2live.charter.schema import Charter
from lab2live.errors import UserError

# What a saved model may consist of beside what skops itself knows: the types of these libraries, and a few plain ones.
TRUSTED_LIBRARIES = ("sklearn.", "lightgbm.")
TRUSTED_TYPES = (
    "builtins.object",  # as a type of columns, for example
    "collections.OrderedDict",
    "collections.defaultdict",
    "lab2live.data.originals.Originals",
    "numpy.dtype",
    "scipy.interpolate._bsplines.BSpline",
)


def trusted(content: bytes, named: Sequence[str] = ()) -> list[str]:
    """Give the types that a saved model asks for and that may be loaded.

    Parameters
    ----------
    content
        What `skops.io.dumps` wrote.
    named
        Types that somebody has reviewed and named one by one, as in the charter's `deployment.trusted_types`.

    Raises
    ------
    UserError
        If it asks for any other type: loading it could run code that nobody has looked at.
    """
    import skops.io

    asked = skops.io.get_untrusted_types(data=content)
    strangers = [
        name for name in asked if not name.startswith(TRUSTED_LIBRARIES) and name not in (*TRUSTED_TYPES, *named)
    ]
    if strangers:
        raise UserError(
            "The model cannot be exported: it is made of types that nobody has declared safe to load.",
            found=", ".join(strangers),
            expected="types of scikit-learn and LightGBM, and those named in the charter",
            fix=f"review them, and name them in project.yaml: deployment.trusted_types: [{', '.join(strangers)}]",
        )
    return asked


def trusted_types(content: bytes, charter: Charter) -> list[str]:
    """Give the types that a saved model of a project asks for and that may be loaded, see `trusted`."""
    return trusted(content, charter.deployment.trusted_types)


def load(content: bytes, charter: Charter) -> Any:
    """Load a model that `skops.io.dumps` wrote, if all its types may be loaded."""
    import skops.io

    return skops.io.loads(content, trusted=trusted_types(content, charter))
