"""docker-compose.yml: valid by the specification, complete for every service, and without a secret."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.unit.deploy import composition

SCHEMA = json.loads((Path(__file__).parent / "compose-spec.json").read_text())
SERVICES = composition.services(composition.filled_in())
JOBS = {"prepare"}
SECRETS = {"SECRET_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD", "PAYMENTS_WEBHOOK_SECRET", "FLOWER_PASSWORD"}
every_service = pytest.mark.parametrize("name", SERVICES)


@pytest.mark.parametrize(
    "document", [composition.raw(), {"services": SERVICES}], ids=["as it stands", "filled in"]
)
def test_it_keeps_to_the_compose_specification(document: dict[str, object]) -> None:
    problems = jsonschema.Draft202012Validator(SCHEMA).iter_errors(document)
    assert [f"{problem.json_path}: {problem.message}" for problem in problems] == []


@every_service
def test_each_service_is_watched_and_restarted(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == ("no" if name in JOBS else "unless-stopped")
    assert ("healthcheck" in service) is (name not in JOBS)
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
    assert service["logging"]["options"]["max-size"]


@every_service
def test_each_service_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service


@every_service
def test_a_service_can_be_multiplied(name: str) -> None:
    assert "container_name" not in SERVICES[name]
    assert "hostname" not in SERVICES[name]


@every_service
def test_what_a_service_waits_for_is_there_and_can_be_waited_for(name: str) -> None:
    for other, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_completed_successfully":
            assert other in JOBS
        elif how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]


def test_only_nginx_is_reached_from_outside() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("nginx") == ["127.0.0.1:8000:8000"]
    elsewhere = composition.services({**composition.filled_in(), "SHOP_BIND": "0.0.0.0:80"})
    assert elsewhere["nginx"]["ports"] == ["0.0.0.0:80:8000"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_what_keeps_data_has_no_way_out() -> None:
    for name in ("postgres", "valkey"):
        assert SERVICES[name]["networks"] == ["data"]
    assert composition.raw()["networks"]["data"]["internal"] == "${DATA_NETWORK_INTERNAL:-true}"


def test_images_of_others_are_pinned_to_a_version() -> None:
    foreign = {name: one["image"] for name, one in SERVICES.items() if name not in composition.ours()}
    assert set(foreign) == {"nginx", "postgres", "valkey"}
    assert all(image.rpartition(":")[2][0].isdigit() for image in foreign.values())


def test_mounted_files_and_volumes_exist() -> None:
    for service in SERVICES.values():
        for mount in service.get("volumes", []):
            if mount.startswith("."):
                assert composition.path_of(mount).exists()
            else:
                assert mount.partition(":")[0] in composition.raw()["volumes"]


# What a payment gateway needs the shop itself asks for (test_payment_gateways.py): it depends on which one it is.
@pytest.mark.parametrize("secret", sorted(SECRETS - {"PAYMENTS_WEBHOOK_SECRET"}))
def test_it_does_not_start_without_a_secret(secret: str) -> None:
    with pytest.raises(KeyError, match=secret):
        composition.services({**composition.filled_in(), secret: ""})


def test_no_secret_stands_in_it() -> None:
    empty = {name for name, value in composition.example().items() if not value}
    assert empty == SECRETS
    for service in composition.raw()["services"].values():
        for name, value in service.get("environment", {}).items():
            if any(word in name for word in ("SECRET", "PASSWORD", "AUTH", "KEY")) and value is not None:
                assert "${" in value, f"{name} has a value of its own"
