""".env.example against what is read from it, by the shop and by docker-compose.yml; both ways, so neither drifts."""

import os
import subprocess
import sys
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from shop import environment, settings
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


READ_BY_THE_SHOP = {name for name in settings.variables if hasattr(settings, name)}


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


def read_anew() -> dict[str, Any]:
    """The values of all variables, from the environment as it is now."""
    module: dict[str, Any] = {**settings.variables, "__annotations__": settings.__annotations__ | {}}
    module["__annotations__"].pop("STORAGES")
    environment.read(module)
    return module


def test_it_names_every_variable_that_the_shop_reads() -> None:
    assert len(READ_BY_THE_SHOP) > 20
    assert READ_BY_THE_SHOP - composition.exampled() == set()


def test_it_is_what_the_declarations_make() -> None:
    assert composition.EXAMPLE.read_text() == environment.example(settings), (
        "run `./dev manage env_example` and commit .env.example"
    )


def test_it_names_every_variable_that_the_compose_file_uses() -> None:
    assert composition.variables_used() - composition.exampled() == set()


def test_it_names_nothing_that_nobody_reads() -> None:
    read = READ_BY_THE_SHOP | composition.variables_used() | COMPOSE_OWN
    assert composition.exampled() - read == set()


def test_every_setting_of_the_shop_reaches_its_containers() -> None:
    for name, service in composition.ours().items():
        if not name.startswith("sandbox-"):
            assert READ_BY_THE_SHOP - set(service["environment"]) == SET_IN_IMAGE


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


# One gateway's test of what is needed, and when, is in test_payment_gateways.py.
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SECRET_KEY", "an-open-secret", "must be 50 characters or more"),
        (
            "DATABASE_URL",
            "mysql://me:an-open-secret@db/shop",
            "must be a URL that begins with postgresql:// or",
        ),
        ("SHOP_URL", "shop.example.com", "must be a URL that begins with http:// or https://"),
        ("DEBUG", "", "Input should be a valid boolean"),
        ("MEDIA_THREADS", "65", "Input should be less than or equal to 64"),
        ("SELLER", "", "must be a name with an address"),
        ("SELLER_VAT_ID", "an-open-secret", "must be empty, or a country code with a number"),
        ("MEDIA_BUCKET", "videos", "is not set, and MEDIA_BUCKET=videos needs it"),
        ("MEDIA_ENDPOINT", "s3.example.com", "must be empty, or a URL"),
        ("MAIL_FROM", "Läden <läden@an-open-secret.example>", "must be a sender with an address in ASCII"),
        ("MAIL_FROM", "an-open-secret", "must be a sender with an address"),
        ("TIME_ZONE", "Europe/an-open-secret", "must be a name of the database of time zones"),
        ("METRICS_LISTEN", "8009", "must be empty, or a host with a port"),
    ],
)
def test_what_is_wrong_is_said_without_the_value(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ImproperlyConfigured) as refused:
        read_anew()
    concerned = "MEDIA_PUBLIC_URL" if name == "MEDIA_BUCKET" else name
    [line] = [line for line in str(refused.value).splitlines() if line.startswith("  ")]
    assert line.startswith(f"  {concerned}: {said}")
    assert "an-open-secret" not in str(refused.value)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAIL_FROM")
    with pytest.raises(ImproperlyConfigured, match=r"MAIL_FROM: is not set\n"):
        read_anew()


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"SHOP_URL": "https://shop.example.com/"}, {"SECURE": True, "SHOP_URL": "https://shop.example.com"}),
        ({"SHOP_URL": "https://shop.example.com", "SECURE": "no"}, {"SECURE": False}),
        ({"SELLER": r"Crowd Ltd\nLondon"}, {"SELLER": "Crowd Ltd\nLondon", "SELLER_VAT_ID": ""}),
        ({}, {"SELLER_VAT_ID": "GB000000000", "SECURE": False, "LOG_FORMAT": "console"}),
        ({"SELLER": "Crowd Ltd", "SELLER_VAT_ID": "DE123456789"}, {"SELLER_VAT_ID": "DE123456789"}),
        ({"PAYMENT_GATEWAY": ""}, {"PAYMENT_GATEWAY": "sandbox"}),
        ({"ALLOWED_HOSTS": ""}, {"ALLOWED_HOSTS": []}),
        ({"STRIPE_API_KEY": "nonsense"}, {"STRIPE_API_KEY": "nonsense"}),  # not looked at by the sandbox
    ],
)
def test_what_follows_from_what_is_given(
    given: dict[str, str], found: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert read_anew().items() >= found.items()
