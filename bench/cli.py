"""How the commands of this room are started and end: their options' common part, and errors without a
traceback.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from stack.console import fail
from stack.program import StackError

Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the figures there as JSON too.")
]

P = ParamSpec("P")


def command(main: Callable[P, int]) -> Callable[[], None]:
    """Make a program of a function whose arguments typer reads and whose result is the exit code."""

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = main(*args, **kwargs)
        except StackError as error:
            fail(str(error))
            code = 2
        except KeyboardInterrupt:
            code = 130
        raise typer.Exit(code)

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
    app.command()(wrapped)
    name = main.__module__ if main.__module__ != "__main__" else _name_of_program()
    return lambda: app(prog_name=f"./dev {name.rpartition('.')[2]}")


def _name_of_program() -> str:
    import __main__

    spec = __main__.__spec__
    return "bench" if spec is None else spec.name.removesuffix(".__main__")
