"""What the shop's processes are told through their environment, and the secrets in it.

The secrets are made once and kept in `.dev/secrets.json`, which only its owner can read. The databases keep their
passwords, so a second start needs the same ones.
"""

import json
import os
import secrets
import subprocess
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Self

from stack.layout import ROOT, Layout
from stack.ports import HOST, Ports
from stack.postgres import Postgres
from stack.program import StackError
from stack.valkey import Valkey

WEBHOOK_PATH = "/webhooks/payments/"  # where the payment provider reports what happened outside a call

# A process of the stack has the stack's folder in this variable; `down` finds by it what a crash left behind.
MARKER = "STAMPEDE_STACK"

# What a person may set for one run; it reaches the shop's processes unchanged.
_GATEWAYS = ("PAYMENT_GATEWAY", "SMS_GATEWAY", "CARRIER_GATEWAY")
PASSED_ON = ("LOG_LEVEL", "LOG_FORMAT", "CURRENCY", "TIME_ZONE", "DEBUG", *_GATEWAYS)


@dataclass(frozen=True)
class Secrets:
    secret_key: str
    postgres: str
    valkey: str
    webhook: str
    admin: str
    flower: str
    supervisor: str

    @classmethod
    def new(cls) -> "Secrets":
        """Letters and digits only, because they are parts of URLs and people type them."""
        drawn = {field.name: secrets.token_hex(32) for field in fields(cls)}
        people = {name: "-".join(secrets.token_hex(2) for _ in range(3)) for name in ("admin", "flower")}
        return cls(**{**drawn, **people})

    @classmethod
    def of(cls, layout: Layout) -> "Secrets":
        """The secrets of this folder, made now if there are none. When several make them at once, the first wins."""
        if not layout.secrets.exists():
            layout.base.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = layout.secrets.with_suffix(f".{os.getpid()}")
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                json.dump(asdict(cls.new()), file, indent=2)
            with suppress(FileExistsError):
                layout.secrets.hardlink_to(fresh)
            fresh.unlink()
        try:
            return cls(**json.loads(layout.secrets.read_text()))
        except (ValueError, TypeError) as error:
            raise StackError(
                f"{layout.secrets} cannot be read: {error}\n"
                "It holds the databases' passwords. Start again without data: `./dev reset`."
            ) from error


@dataclass(frozen=True)
class Stack:
    """One stack's folder, ports and secrets, and the URLs of servers that it uses instead of its own."""

    layout: Layout
    ports: Ports
    secrets: Secrets
    database_url: str = ""
    broker_url: str = ""

    @classmethod
    def at(cls, layout: Layout, base: int, **servers: str) -> Self:
        """The stack of this folder, with its ports from `base` on; its secrets are made by the first who asks."""
        return cls(layout, Ports.block(base), Secrets.of(layout), **servers)

    @property
    def postgres(self) -> Postgres:
        return Postgres(self.layout.postgres, self.ports.postgres, self.secrets.postgres)

    @property
    def valkey(self) -> Valkey:
        return Valkey(self.layout.valkey, self.ports.valkey, self.secrets.valkey)

    def url(self, name: str) -> str:
        """The address of one of our HTTP servers, by its name among the ports."""
        return f"http://{HOST}:{getattr(self.ports, name)}"

    def urls(self) -> dict[str, str]:
        """The pages that people open."""
        shop = self.url("shop")
        return {
            "shop": f"{shop}/",
            "admin": f"{shop}/admin/",
            "api": f"{shop}/api/docs/",
            "flower": f"{self.url('flower')}/",
            "mailbox": f"{self.url('mailbox')}/",
            "metrics": f"{self.url('metrics')}/metrics",
        }

    def settings(self) -> dict[str, str]:
        """The variables that shop/settings.py declares."""
        return {
            "DEBUG": "false",
            "SECRET_KEY": self.secrets.secret_key,
            "ALLOWED_HOSTS": f"{HOST},localhost",
            "SHOP_URL": self.url("shop"),
            "DATABASE_URL": self.database_url or self.postgres.url,
            "BROKER_URL": self.broker_url or self.valkey.url,
            "EMAIL_URL": f"smtp://{HOST}:{self.ports.smtp}",
            "MAIL_FROM": "Stampede <orders@stampede.example>",
            "CURRENCY": "GBP",
            "PAYMENT_GATEWAY": "sandbox",
            "PAYMENTS_URL": self.url("payments"),
            "PAYMENTS_WEBHOOK_SECRET": self.secrets.webhook,
            "SMS_URL": self.url("sms"),
            "CARRIER_URL": self.url("carrier"),
            "MAILBOX_URL": self.url("mailbox"),
            "FLOWER_URL": self.url("flower"),
            "FLOWER_BASIC_AUTH": f"admin:{self.secrets.flower}",
            "DEMO_ADMIN_PASSWORD": self.secrets.admin,
            "MEDIA_ROOT": str(self.layout.media),
            "STATIC_ROOT": str(self.layout.static),
            "METRICS_LISTEN": f"{HOST}:{self.ports.metrics}",
            "LOG_LEVEL": "INFO",
            "LOG_FORMAT": "console",
        }

    def environment(self) -> dict[str, str]:
        """The whole environment of a process of the stack: the settings on top of the user's variables."""
        chosen = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        return {
            **os.environ,
            **self.settings(),
            **chosen,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "STAMPEDE_VERSION": version(),
            "TZ": "UTC",  # so that all logs use the same time
            "DJANGO_SETTINGS_MODULE": "shop.settings",
        }


@cache
def version() -> str:
    """What git calls this checkout, "" where there is no git; `-dirty`: something is not committed."""
    try:
        described = subprocess.run(
            ["git", "-C", str(ROOT), "describe", "--tags", "--always", "--dirty"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return described.stdout.strip()
