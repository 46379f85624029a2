"""Every command in docker-compose.yml against what exists: programs, options, applications, queues, pools."""

import importlib
import importlib.util
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

from deploy import health
from stack.environment import Secrets, Stack
from stack.layout import ROOT, STACK
from stack.ports import DEFAULT_BASE, Ports
from stack.processes import POOLS, Pool, programs
from tests.unit.deploy import composition
from workers.queues import QueueName

OURS = composition.ours()
BIN = Path(sys.executable).parent
POOL_NAMES = [pool.name for pool in POOLS]
OPTION = re.compile(r"--?[A-Za-z][\w-]*")
# Flower's own options stand in no help text but in its module.
FLOWER_OPTIONS = {"--address", "--port"}


def value_of(command: list[str], option: str) -> str:
    return command[command.index(option) + 1]


@cache  # all pools are the same program
def options_of(called: tuple[str, ...]) -> set[str]:
    """The options that it says it has."""
    said = subprocess.run([*called, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(OPTION.findall(said))


@pytest.mark.parametrize("name", OURS)
def test_the_command_exists_with_its_options(name: str) -> None:
    program, *arguments = OURS[name]["command"]
    if program == "python" and arguments[0] == "manage.py":
        command = load_command_class(get_commands()[arguments[1]], arguments[1])
        command.create_parser("manage.py", arguments[1]).parse_args(arguments[2:])
        return
    called: tuple[str, ...]
    if program == "python":
        assert arguments[0] == "-m"
        assert importlib.util.find_spec(arguments[1])
        called, arguments = (sys.executable, "-m", arguments[1]), arguments[2:]
    elif program == "celery":
        called, arguments = (str(BIN / "celery"), *arguments[:3]), arguments[3:]
    else:
        called = (str(BIN / program),)
    known = options_of(called) | (FLOWER_OPTIONS if name == "flower" else set())
    used = {argument.partition("=")[0] for argument in arguments if OPTION.match(argument)}
    assert used <= known


@pytest.mark.parametrize("name", ["web", "live"])
def test_the_application_exists(name: str) -> None:
    [application] = [argument for argument in OURS[name]["command"] if ":application" in argument]
    module, _, attribute = application.partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_the_servers_pools_are_the_laptops() -> None:
    """The same names, queues and processes, each node with a name of its own however many there are. How far a pool
    may grow is the machine's."""
    found = {name: one["command"] for name, one in OURS.items() if "worker" in one["command"]}
    assert set(found) == set(POOL_NAMES)
    for pool in POOLS:
        command = found[pool.name]
        assert value_of(command, "-A") == pool.app
        assert value_of(command, "-Q") == pool.queues
        assert value_of(command, "-n") == f"{pool.name}@%h"
        begin = command.index(f"{pool.name}@%h") + 1
        there = command[begin : command.index("--pool")]
        if pool.most:
            most, least = value_of(there, "--autoscale").split(",")
            assert int(most) > int(least)
            there[1] = f"{pool.most},{least}"
        assert tuple(there) == pool.options()


@pytest.mark.parametrize("pool", [pool for pool in POOLS if pool.memory], ids=lambda pool: pool.name)
def test_what_a_process_may_keep_fits_into_its_container(pool: Pool) -> None:
    limit = OURS[pool.name]["deploy"]["resources"]["limits"]["memory"]
    assert limit.endswith("G")
    assert pool.processes * pool.memory < 1024 * int(limit[:-1])


def test_every_queue_is_served_and_no_other() -> None:
    served = [queue for name in POOL_NAMES for queue in value_of(OURS[name]["command"], "-Q").split(",")]
    assert sorted(served) == sorted(name.value for name in QueueName)


@pytest.mark.parametrize("name", POOL_NAMES)
def test_a_pool_stops_softly_and_has_time_for_it(name: str) -> None:
    from workers import app

    assert OURS[name]["stop_signal"] == "SIGQUIT"
    seconds = int(OURS[name]["stop_grace_period"].removesuffix("s"))
    assert seconds > 2 * app.conf.worker_soft_shutdown_timeout


def test_every_process_of_the_laptop_runs_on_servers() -> None:
    stack = Stack(STACK, Ports.block(DEFAULT_BASE), Secrets.new())
    providers = {"payments", "sms", "carrier", "mailbox"}
    laptop = {f"sandbox-{one.name}" if one.name in providers else one.name for one in programs(stack)}
    assert laptop | {"prepare"} == set(composition.services(composition.filled_in()))


@pytest.mark.parametrize("name", [name for name in OURS if name != "prepare"])
def test_its_health_check_is_one_that_exists(name: str) -> None:
    _, program, script, *arguments = OURS[name]["healthcheck"]["test"]
    assert (program, script) == ("python", "deploy/health.py")
    asked = health.parser().parse_args(arguments)
    if name in POOL_NAMES:
        assert (asked.kind, asked.name) == ("node", name)
    if asked.kind == "http":
        assert asked.url.split(":")[2].partition("/")[0] in " ".join(OURS[name]["command"])


def test_the_relay_is_called_as_its_health_check_looks_for_it() -> None:
    assert OURS["relay"]["environment"]["PGAPPNAME"] == "relay"
    assert "application_name = 'relay'" in Path(health.__file__).read_text()


def test_beat_has_the_scheduler_whose_heartbeat_is_looked_at() -> None:
    beat: dict[str, Any] = OURS["beat"]
    module, _, name = value_of(beat["command"], "--scheduler").partition(":")
    assert hasattr(importlib.import_module(module), name)
    kind, path, allowed = beat["healthcheck"]["test"][3:]
    assert (kind, path) == ("file", beat["environment"]["BEAT_HEARTBEAT"])
    assert float(allowed) > 2 * float(value_of(beat["command"], "--max-interval"))
