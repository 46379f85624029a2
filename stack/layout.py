"""Where the stack keeps what it makes: one folder, `.dev/` in the checkout, that git ignores.

Nothing is written anywhere else, so two checkouts never disturb each other, and to remove the folder removes all.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


class Layout:
    """The folders below `base`; the stack uses `.dev/`, a test a folder of its own."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.logs = base / "logs"
        self.run = base / "run"  # of the running stack: rendered configurations, state, locks
        self.postgres = base / "postgres"
        self.valkey = base / "valkey"
        self.ledgers = base / "ledgers"
        self.media = base / "media"
        self.published = self.media / "public"  # what everybody may have
        self.static = base / "static"
        self.secrets = base / "secrets.json"

    def make(self) -> None:
        """Create the folders that programs expect to find; closed to other users, as secrets lie in them."""
        self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs, self.run, self.valkey, self.ledgers, self.media, self.static):
            folder.mkdir(mode=0o700, exist_ok=True)


STACK = Layout(ROOT / ".dev")
