"""Where the stack keeps what it makes: one folder, `.dev/` in the checkout, that git ignores.

Nothing is written anywhere else, so two checkouts never meet and removing the folder removes all.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Layout:
    """The folders below `base`; the stack uses `.dev/`, a test a folder of its own."""

    base: Path

    @property
    def logs(self) -> Path:
        return self.base / "logs"

    @property
    def run(self) -> Path:
        """Files of the running stack: rendered configurations, state, locks."""
        return self.base / "run"

    @property
    def postgres(self) -> Path:
        return self.base / "postgres"

    @property
    def valkey(self) -> Path:
        return self.base / "valkey"

    @property
    def ledgers(self) -> Path:
        return self.base / "ledgers"

    @property
    def media(self) -> Path:
        return self.base / "media"

    @property
    def published(self) -> Path:
        """What of `media` everybody may have."""
        return self.media / "public"

    @property
    def static(self) -> Path:
        return self.base / "static"

    @property
    def secrets(self) -> Path:
        return self.base / "secrets.json"

    def make(self) -> None:
        """Create the folders that programs expect to find; closed to other users, as secrets lie in them."""
        self.base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.logs, self.run, self.valkey, self.ledgers, self.media, self.static):
            folder.mkdir(mode=0o700, exist_ok=True)


STACK = Layout(ROOT / ".dev")
