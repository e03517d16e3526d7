"""The one exception a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend: says where, what was found, what was expected, and the fix.

    Parameters
    ----------
    problem
        What is wrong, as one sentence.
    where
        The file and, where there is one, the field in it.
    found
        What stands there now.
    expected
        What should stand there.
    fix
        What to do about it.
    """

    def __init__(
        self, problem: str, *, where: object = None, found: object = None, expected: object = None, fix: str = ""
    ) -> None:
        self.problem = problem
        parts = (("where", where), ("found", found), ("expected", expected), ("fix", fix or None))
        self.details = {name: str(value) for name, value in parts if value is not None}
        super().__init__("\n".join([problem, *(f"  {name + ':':<10}{value}" for name, value in self.details.items())]))

    def _render_traceback_(self) -> list[str]:
        """Jupyter asks for this: in a notebook the message stands alone, without the frames that led to it."""
        return [f"{type(self).__name__}: {self}"]
