"""How the variables of the environment are declared, read and checked, and how .env.example is made of them.

shop.settings declares each of them once: the name of the variable is the name of the setting. Who starts a process with
half of its settings is told of everything that is wrong at once, not of one variable a try.
"""

import inspect
import re
from collections.abc import Callable
from email.utils import parseaddr
from types import ModuleType
from typing import Annotated, Any
from zoneinfo import available_timezones

from django.core.exceptions import ImproperlyConfigured
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, WrapValidator, create_model
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# What docker-compose.yml alone reads: it stands in .env.example, and is no setting of the shop.
ComposeOnly = Annotated[str, "docker-compose.yml"]
# Names with commas between them.
Names = Annotated[list[str], NoDecode, BeforeValidator(lambda text: text.split(",") if text else [])]


def must_be(words: str, pattern: str, then: Callable[[str], str] = str) -> AfterValidator:
    """Check that the pattern matches the whole value; `words` tell people what it must be, `then` puts it in order."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value, re.DOTALL):
            raise ValueError(f"must be {words}")
        return then(value)

    return AfterValidator(check)


def begins_with(*schemes: str) -> AfterValidator:
    """A URL of one of these schemes."""
    words = " or ".join(f"{scheme}://" for scheme in schemes)
    return must_be(f"a URL that begins with {words}", f"({'|'.join(schemes)}):.*")


def sender(text: str) -> str:
    """Somebody whom a mail server takes e-mail from, with or without a name."""
    local, _, domain = parseaddr(text)[1].rpartition("@")
    if not local or not local.isascii() or not domain:
        raise ValueError(
            "must be a sender with an address in ASCII before the @, such as Shop <shop@example.com>"
        )
    return text


def time_zone(name: str) -> str:
    """A name of the database of time zones, such as Europe/London."""
    if name not in available_timezones():
        raise ValueError("must be a name of the database of time zones, such as Europe/London")
    return name


HTTP = r"https?://([^\s/@]+@)?([\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?([/?#]\S*)?"
URL = must_be("a URL that begins with http:// or https://", HTTP, lambda url: url.rstrip("/"))


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(case_sensitive=True)


def needed_if(other: str, chosen: Callable[[str], bool]) -> WrapValidator:
    """Needed if the variable `other`, which is declared before it, has such a value; else it is not looked at."""

    def check(value: str, handler: Callable[[str], str], info: Any) -> str:
        if not chosen(info.data[other]):
            return value
        if not value:
            raise ValueError(f"is not set, and {other}={info.data[other]} needs it")
        return handler(value)

    return WrapValidator(check)


def variable(
    default: Any = ..., *checks: Any, sets: str | None = None, shown: str | None = None, **limits: Any
) -> Any:
    """Declare a variable, needed if its default is `...`; a default may be a function of the variables before it.

    .env.example sets it to `sets`, or shows `shown` or the default behind a "#". Limits are those of pydantic (ge, le).
    """
    if shown is None:
        shown = str(default).lower() if isinstance(default, bool) else str(default).replace("\n", "\\n")
    line = f"# {{}}={shown}" if sets is None else f"{{}}={sets}"
    limits["default_factory" if callable(default) else "default"] = default
    field: FieldInfo = Field(json_schema_extra={"line": line}, **limits)
    field.metadata += checks
    return field


def read(module: dict[str, Any]) -> dict[str, FieldInfo]:
    """Put in the place of each variable that this module has declared what the environment says; returns what it had.

    Raises ImproperlyConfigured that lists every problem, a line each, but no value: it may be a secret.
    """
    declared: dict[str, FieldInfo] = {name: module.pop(name) for name in module["__annotations__"]}
    hints = {name: hint for name, hint in module["__annotations__"].items() if hint != ComposeOnly}
    fields: Any = {name: (hint, declared[name]) for name, hint in hints.items()}
    try:
        module.update(create_model("Environment", __base__=_Environment, **fields)().model_dump())
    except ValidationError as found:
        lines = [
            f"  {wrong['loc'][0]}: {wrong['msg'].removeprefix('Value error, ')}\n"
            for wrong in found.errors(include_url=False, include_input=False)
            if wrong["type"] != "default_factory_not_called"  # it follows from another one
        ]
        raise ImproperlyConfigured(
            f"The environment is not complete:\n{''.join(sorted(lines))}".replace(
                "Field required", "is not set"
            )
            + ".env.example explains every variable, with an example; `./dev` sets them all by itself."
        ) from None
    return declared


def example(module: ModuleType) -> str:
    """The text of .env.example: of the module that declares them the comments, and under these each variable."""
    left: dict[str, FieldInfo] = dict(module.variables)
    lines: list[str] = []
    for line in inspect.getsource(module).splitlines():
        if (name := line.partition(":")[0]) in left:
            extra: Any = left.pop(name).json_schema_extra
            lines.append(extra["line"].format(name))
        elif left and (line.startswith("#") or (lines and lines[-1] and not line)):
            lines.append(line)
    return "\n".join(lines) + "\n"
