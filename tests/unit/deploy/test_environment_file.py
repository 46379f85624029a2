""".env.example against what is read from it, by the shop and by docker-compose.yml; both ways, so neither drifts."""

import ast
import os
import subprocess
import sys
from pathlib import Path

from shop import environment as reader
from stack.layout import ROOT
from tests.unit.deploy import composition

# Read by Compose itself; without Docker, set in the image.
COMPOSE_OWN = {"COMPOSE_PROFILES"}
SET_IN_IMAGE = {"MEDIA_ROOT", "STATIC_ROOT"}
PRODUCTION = {
    **composition.filled_in(),
    "SHOP_URL": "https://shop.example.com",
    "ALLOWED_HOSTS": "shop.example.com",
}


def read_by_the_shop() -> set[str]:
    """The first argument of each `env.str(…)`, `env.bool(…)` and the like in shop/environment.py."""
    tree = ast.parse(Path(reader.__file__).read_text())
    return {
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }


def image_environment() -> dict[str, str]:
    """What the Dockerfile sets for the two folders."""
    text = (ROOT / "Dockerfile").read_text()
    return {name: text.partition(f"{name}=")[2].split()[0] for name in SET_IN_IMAGE}


def manage(*arguments: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """manage.py as it would run in the web container, with nothing of this test's own environment."""
    environment = {
        **composition.environment("web", variables),
        **image_environment(),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_it_names_every_variable_that_the_shop_reads() -> None:
    assert len(read_by_the_shop()) > 20
    assert read_by_the_shop() - composition.exampled() == set()


def test_it_names_every_variable_that_the_compose_file_uses() -> None:
    assert composition.variables_used() - composition.exampled() == set()


def test_it_names_nothing_that_nobody_reads() -> None:
    read = read_by_the_shop() | composition.variables_used() | COMPOSE_OWN
    assert composition.exampled() - read == set()


def test_every_setting_of_the_shop_reaches_its_containers() -> None:
    for name, service in composition.ours().items():
        if not name.startswith("sandbox-"):
            assert read_by_the_shop() - set(service["environment"]) == SET_IN_IMAGE


def test_every_variable_has_a_comment_above_it() -> None:
    lines = composition.EXAMPLE.read_text().splitlines()
    names = [
        number
        for number, line in enumerate(lines)
        if "=" in line and line.lstrip("# ").partition("=")[0].isupper()
    ]
    assert all(lines[number - 1].strip() for number in names)


def test_it_is_enough_to_try_the_shop_once_the_secrets_are_filled_in() -> None:
    done = manage("check", variables=composition.filled_in())
    assert done.returncode == 0, done.stderr


def test_djangos_deployment_check_has_nothing_to_say_about_a_shop_behind_tls() -> None:
    done = manage("check", "--deploy", "--fail-level", "WARNING", variables=PRODUCTION)
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_all_that_is_missing_is_said_at_once() -> None:
    done = manage(
        "check", variables={**PRODUCTION, "LOG_LEVEL": "LOUD", "SMS_URL": "nowhere", "CURRENCY": "pounds"}
    )
    assert done.returncode != 0
    for name in ("LOG_LEVEL", "SMS_URL", "CURRENCY"):
        assert f"{name}:" in done.stderr
