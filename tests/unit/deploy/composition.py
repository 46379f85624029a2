"""Reads docker-compose.yml and .env.example as Compose does, as far as our files go."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from stack.layout import ROOT

COMPOSE_FILE, EXAMPLE = ROOT / "docker-compose.yml", ROOT / ".env.example"
# A secret as a person would fill it in; .env.example has none.
FILLED_IN = "0123456789abcdef" * 4

_REFERENCE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?P<operator>:?[-?+])?)")
_LINE = re.compile(r"^(?P<comment># )?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)


@cache
def raw() -> dict[str, Any]:
    """The file as it stands, anchors resolved and variables not."""
    loaded: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text())
    return loaded


def example() -> dict[str, str]:
    """What .env.example sets: lines that are not commented out."""
    return {
        found["name"]: found["value"] for found in _LINE.finditer(EXAMPLE.read_text()) if not found["comment"]
    }


def exampled() -> set[str]:
    """Every name in .env.example, also of those that show a default."""
    return {found["name"] for found in _LINE.finditer(EXAMPLE.read_text())}


def filled_in() -> dict[str, str]:
    """.env.example with a secret on every line that waits for one."""
    return {name: value or FILLED_IN for name, value in example().items()}


def services(variables: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The services with these variables put in; raises KeyError for one that is required and not there."""
    found: dict[str, dict[str, Any]] = _interpolated(raw()["services"], variables)
    return found


def environment(name: str, variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of that service's container: names without a value are passed on if they are set."""
    given = services(variables)[name]["environment"]
    return {
        key: variables[key] if value is None else str(value)
        for key, value in given.items()
        if value is not None or key in variables
    }


def variables_used() -> set[str]:
    """Every variable that the compose file takes from outside."""
    passed_on = {
        key
        for service in raw()["services"].values()
        for key, value in service.get("environment", {}).items()
        if value is None
    }
    named = {found["name"] for text in _texts(raw()) for found in _REFERENCE.finditer(text) if found["name"]}
    return passed_on | named


def ours() -> dict[str, dict[str, Any]]:
    """The services that run our image."""
    return {name: one for name, one in services(filled_in()).items() if one["image"].startswith("stampede")}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _interpolated(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _put_in(value, variables)
    if isinstance(value, Mapping):
        return {key: _interpolated(inner, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_interpolated(inner, variables) for inner in value]
    return value


def _put_in(text: str, variables: Mapping[str, str]) -> str:
    """${NAME}, ${NAME:-default} (which may hold further ones) and ${NAME:?message}; $$ is a dollar sign."""
    found = _REFERENCE.search(text)
    if found is None:
        return text
    before, rest = text[: found.start()], text[found.end() :]
    if found["name"] is None:
        return f"{before}${_put_in(rest, variables)}"
    argument, rest = _until_closed(rest)
    value = variables.get(found["name"], "")
    if not value and found["operator"] == ":-":
        value = _put_in(argument, variables)
    elif not value and found["operator"] == ":?":
        raise KeyError(found["name"])
    return f"{before}{value}{_put_in(rest, variables)}"


def _until_closed(text: str) -> tuple[str, str]:
    depth = 1
    for place, letter in enumerate(text):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if not depth:
            return text[:place], text[place + 1 :]
    raise ValueError(f"a brace is not closed before {text!r}")


def path_of(mount: str) -> Path:
    """The file of ours that a mount names."""
    return ROOT / mount.partition(":")[0]
