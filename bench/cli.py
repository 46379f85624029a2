"""How the commands of this package start and end: their common option, their exit codes, errors without a traceback."""

import functools
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec

import orjson
import typer

from stack.console import fail, out
from stack.program import StackError

Json = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Also write the figures as JSON.")]
P = ParamSpec("P")


def command(main: Callable[P, int]) -> Callable[[], None]:
    """Make a program of a function whose arguments typer reads and whose result is the exit code."""

    @functools.wraps(main)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        signal.signal(signal.SIGTERM, _interrupt)
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
    program = Path(sys.argv[0])
    name = program.parent.name if program.stem == "__main__" else program.stem
    return functools.partial(app, prog_name=f"./dev {name}")


def finish(found: Mapping[str, Any] | list[dict[str, Any]], problems: list[str], file: Path | None) -> int:
    """Print the problems and write the figures; returns the exit code. A slow figure is not a problem."""
    for problem in problems:
        out.print("[bold red]wrong[/bold red] ", end="")
        out.print(problem, markup=False)
    if file:
        file.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return 1 if problems else 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    """End as after Ctrl-C, so that an isolated stack is stopped too."""
    raise KeyboardInterrupt
