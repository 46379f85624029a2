"""What people see: numbered steps with their times, problems with their fixes, and the banner at the end.

rich writes no colours where NO_COLOR is set or the output is no terminal. Lines are never wrapped there, so that grep
finds them whole.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text

from stack.environment import Stack
from stack.preflight import Problem

TEST_CARDS = (
    ("pm_card_visa", "is paid"),
    ("pm_card_chargeDeclined", "is declined"),
    ("pm_card_threeDSecure2Required", "asks for 3-D Secure first"),
    ("pm_sandbox_slow", "is paid after 2 s"),
    ("pm_sandbox_flaky", "fails twice, is then paid"),
)

out = Console(highlight=False, soft_wrap=True)
err = Console(highlight=False, soft_wrap=True, stderr=True)


class Steps:
    """Counts the steps of one command and tells how long each took."""

    def __init__(self, total: int) -> None:
        self._total, self._done, self._begun = total, 0, time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._begun

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """One step: shown while it runs on a terminal, and as a line with its time when it is done."""
        self._done += 1
        label = f"[dim]\\[{self._done}/{self._total}][/dim] {what}"
        begun = time.monotonic()
        if out.is_terminal:
            with out.status(label):
                yield
        else:
            yield
        out.print(f"{label} [dim]{time.monotonic() - begun:.1f} s[/dim]")


def banner(stack: Stack, *, headline: str, detached: bool) -> None:
    """What to open, how to log in, what to pay with."""
    urls, secrets = stack.urls(), stack.secrets
    rows = [
        ("Shop", urls["shop"], ""),
        ("Admin", urls["admin"], f"admin / {secrets.admin}"),
        ("API docs", urls["api"], ""),
        ("Flower", urls["flower"], f"admin / {secrets.flower}"),
        ("Mailbox", urls["mailbox"], "every e-mail and SMS that was sent"),
        ("Metrics", urls["metrics"], "for Prometheus"),
    ]
    out.print(f"\n[bold green]{headline}[/bold green]\n")
    for name, url, remark in rows:
        gap = " " * (34 - len(url)) if remark else ""
        out.print(f"  [bold]{name:<9}[/bold] [cyan]{url}[/cyan]{gap}{remark}")
    out.print("\n  Pay with one of these tokens, or with cash on delivery:")
    for token, meaning in TEST_CARDS:
        out.print(f"    [cyan]{token:<30}[/cyan] {meaning}")
    out.print(
        "\n  ./dev status   ./dev logs -f   ./dev down\n"
        if detached
        else "\n  Ctrl-C stops everything. Logs follow.\n"
    )


def tell_problems(found: list[Problem]) -> None:
    err.print(f"[bold red]Stampede cannot start: {len(found)} problem{'s' * (len(found) > 1)}[/bold red]")
    for problem in found:
        err.print(f"  {problem.what}", markup=False)
        err.print(f"    -> {problem.fix}", markup=False)


def fail(message: str) -> None:
    err.print(Text.assemble(("dev: ", "bold red"), message))


def note(message: str) -> None:
    """A remark on the side; never on standard output, which may be read by a program."""
    err.print(f"dev: {message}", markup=False)
