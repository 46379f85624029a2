"""The command line: what can be typed after `./dev`. Each command is a few lines that call its part."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from stack import life, logs, rolling, status
from stack.console import fail, note, out
from stack.environment import Stack
from stack.layout import ROOT, STACK
from stack.ports import DEFAULT_BASE
from stack.processes import programs
from stack.program import StackError
from stack.supervisor import Record, Supervisor

app = typer.Typer(
    name="dev",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Stampede on one machine. Begin with [bold]./dev up[/bold].",
    rich_markup_mode="rich",
)
# Everything behind the command's name goes to the program it calls, --help included.
PASS_ALL = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
RUN, WORK, STACK_HELP = "The shop", "Working on it", "What it can bear"

PORT_VARIABLE = "STAMPEDE_PORT"
Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        metavar="N",
        envvar=PORT_VARIABLE,
        help=f"The shop's port; the stack takes the eleven after it too. Default: {DEFAULT_BASE}.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def main() -> int:
    """Run one command; problems that a person can solve are told without a traceback."""
    try:
        app(prog_name="./dev")
    except StackError as error:
        fail(str(error))
        return 1
    except BrokenPipeError:
        # The reader of our output went away, as `head` does; nothing is left to be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


@app.command(rich_help_panel=RUN)
def up(
    port: Port = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it is ready, and leave it running.")
    ] = False,
) -> None:
    """Open the shop: databases, providers, web, workers. Ctrl-C stops all.

    DATABASE_URL and BROKER_URL, when set, are used instead of the embedded PostgreSQL and Valkey.
    """
    raise typer.Exit(life.up(_stack(port), detach=detach))


@app.command(rich_help_panel=RUN)
def down() -> None:
    """Stop everything, and what a crash may have left behind."""
    out.print("Stopped." if life.down(STACK) else "Nothing was running.")


@app.command(rich_help_panel=RUN)
def restart(
    names: Annotated[
        list[str] | None, typer.Argument(help="Programs, by their names in `./dev status`.")
    ] = None,
) -> None:
    """Restart programs one after the other, while the shop goes on selling. Without names: all that is ours."""
    for name in rolling.restart(Supervisor.of(STACK), names or []):
        out.print(f"{name} is new.")


@app.command(name="status", rich_help_panel=RUN)
def show_status(as_json: Json = False) -> None:
    """Who runs, and is it healthy? Exits 1 when not all is."""
    stack, found = _stack(), Supervisor.of(STACK).look() if Record.load(STACK) else []
    if as_json:
        typer.echo(json.dumps(status.as_dict(stack, found), indent=2))
    else:
        status.tell(out, stack, found)
    raise typer.Exit(0 if status.healthy(found) else 1)


@app.command(name="logs", rich_help_panel=RUN)
def show_logs(
    name: Annotated[
        str | None, typer.Argument(help="One program alone, by its name in `./dev status`.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    lines: Annotated[
        int | None, typer.Option("--lines", "-n", help="How many of each; default 10, or 200 of one.")
    ] = None,
) -> None:
    """The last lines of the logs."""
    known = sorted(path.stem for path in STACK.logs.glob("*.log"))
    if name and name not in known:
        raise StackError(
            f"there is no log of {name!r}. There are: {', '.join(known) or 'none yet; ./dev up'}"
        )
    chosen = [name] if name else [one.name for one in programs(_stack()) if one.name in known]
    logs.show(out, STACK.logs, chosen, lines if lines is not None else 200 if name else 10)
    if follow:
        with suppress(KeyboardInterrupt):
            for _ in logs.follow(out, STACK.logs, chosen):
                pass


@app.command(rich_help_panel=RUN)
def reset(yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False) -> None:
    """Stop everything and remove its data: databases, ledgers, files, logs, passwords."""
    if not yes and sys.stdin.isatty():
        typer.confirm(f"Remove all of the shop's data in {STACK.base}?", abort=True)
    life.reset(STACK)
    out.print("All data is removed; `./dev up` begins afresh.")


@app.command(rich_help_panel=RUN, context_settings=PASS_ALL)
def manage(context: typer.Context) -> None:
    """Django's own command line, with the stack's environment."""
    if not Record.load(STACK) and not os.environ.get("DATABASE_URL") and context.args[:1] != ["env_example"]:
        note("the stack is not up, and so is no database; `./dev up --detach` starts it")
    _become(str(ROOT / "manage.py"), *context.args)


@app.command(rich_help_panel=RUN)
def audit(as_json: Json = False) -> None:
    """Prove the books: nothing forgotten, charged twice or oversold. Exits 1 when something is wrong."""
    if not Record.load(STACK):
        raise StackError(
            "the audit reads the shop's tables and the providers' ledgers, and they are not up.\n"
            "First: ./dev up --detach"
        )
    _become(str(ROOT / "manage.py"), "audit", *(["--json"] if as_json else []))


# Modules that are commands of their own, by the last part of their names; and what `./dev --help` says of each.
MEASUREMENTS = {
    "bench.replay": "FILE [--json FILE] [--customers N] [--flush-every S]  A retailer's real orders, through the API.",
    "bench.rush": "[--orders N] [--buyers M] [--sku SKU] [--stock N] [--json FILE]  Everybody buys at once.",
    "bench": "[--only media|documents|upload] [--short] [--json FILE]  How many orders a second, and what each costs.",
    "bench.chaos": "[--orders N] [--kills K] [--seed S] [--only POINT] [--json FILE]  "
    "Kill every part of a stack of its own.",
    "bench.chaos.troubles": "FILE [--trouble NAME] [--orders N] [--json FILE]  "
    "A replay while one thing goes wrong all the time.",
    "bench.chaos.poison": "[--orders N] [--rounds N] [--json FILE]  "
    "One order kills every worker that takes it: what do others feel?",
    "bench.chaos.mutants": "[NAME …] [--json FILE]  Break the shop on purpose, in a copy: does the suite bite?",
}
OF_THE_STACK_THAT_IS_UP = ("bench.replay", "bench.rush")


def _measurement(module: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        needs_it = module in OF_THE_STACK_THAT_IS_UP and not {"--help", "-h"} & set(context.args)
        if needs_it and not Record.load(STACK):
            note("the stack is not up; starting it, and leaving it up afterwards")
            if code := life.up(_stack(), detach=True):
                raise typer.Exit(code)
        _become("-m", module, *context.args)

    return run


for _module, _help in MEASUREMENTS.items():
    _panel = WORK if _module == "bench.chaos.mutants" else STACK_HELP
    app.command(_module.rpartition(".")[2], help=_help, rich_help_panel=_panel, context_settings=PASS_ALL)(
        _measurement(_module)
    )


@app.command(rich_help_panel=WORK, context_settings=PASS_ALL)
def test(context: typer.Context) -> None:
    """[pytest arguments]  The tests; they start servers of their own and need no stack."""
    os.chdir(ROOT)
    # All of them in three lanes (tests/lanes.py): two leave two processors waiting a fifth of the time. The few that
    # somebody names run in one, where a debugger can be used.
    arguments = context.args or ["--numprocesses", "3", "--dist", "loadscope", "--no-loadscope-reorder"]
    _become("-m", "pytest", *arguments, environment=os.environ)


@app.command(rich_help_panel=WORK)
def lint(
    fix: Annotated[
        bool, typer.Option("--fix", help="Mend first what can be mended: format, imports.")
    ] = False,
) -> None:
    """Style, types and the direction of imports: ruff, mypy, import-linter."""
    from stack import workshop

    raise typer.Exit(workshop.lint(fix=fix))


@app.command(rich_help_panel=WORK)
def lock(
    upgrade: Annotated[
        bool, typer.Option("--upgrade", "-U", help="Move to the newest versions that fit.")
    ] = False,
) -> None:
    """Write requirements.txt anew from requirements.in."""
    from stack import workshop

    raise typer.Exit(workshop.lock(upgrade=upgrade))


def _stack(port: int | None = None) -> Stack:
    """The stack that runs, or the one that `up` would start."""
    record = Record.load(STACK)
    if record and port is None:
        return record.stack(STACK)
    given = {name.lower(): os.environ.get(name, "") for name in ("DATABASE_URL", "BROKER_URL")}
    try:
        return Stack.at(STACK, port or int(os.environ.get(PORT_VARIABLE) or DEFAULT_BASE), **given)
    except ValueError as error:
        raise StackError(str(error)) from error


def _become(*arguments: str, environment: Mapping[str, str] | None = None) -> NoReturn:
    """Turn into that Python program, with the stack's environment or another: its signals and exit code are its own."""
    sys.stdout.flush()
    command = [sys.executable, "-P", *arguments]
    os.execve(sys.executable, command, environment or _stack().environment())  # noqa: S606 - no shell is wanted
