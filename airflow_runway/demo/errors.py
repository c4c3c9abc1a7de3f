"""How a demo can end early."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the text is for the person at the terminal.

    :param message: one or more sentences: what is wrong, and what to do about it.
    :param exit_code: the exit code of the command: 2 for a wrong call, 1 for a failed run.
    """

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class DemoInputError(DemoError):
    """Something is wrong with the call itself; nothing has been started."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_code=2)
