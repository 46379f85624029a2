"""`manage.py audit` for people and programs, and the nightly task."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from tests.integration.audit.conftest import Shop, corrupt, forget_ledgers
from tests.servers import Servers
from workers.celery import app
from workers.periodic import prove_books
from workers.queues import QueueName

PROVIDERS = ("payments", "sms", "carrier", "mailbox")


@pytest.fixture
def new_ledgers(servers: Servers) -> None:
    """The command reads the ledgers from their beginning: providers that have not seen the other tests."""
    for name in PROVIDERS:
        servers.stop(name)
        for file in servers.stack.layout.ledgers.glob(f"{name}.sqlite3*"):
            file.unlink()
    servers.start(*PROVIDERS)
    forget_ledgers()


def audit(*arguments: str) -> tuple[int, str]:
    """(exit status, what it printed)"""
    out = StringIO()
    try:
        call_command("audit", *arguments, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), out.getvalue()
    return 0, out.getvalue()


def test_the_command_tells_people_and_programs(new_ledgers: None, shop: Shop) -> None:
    status, text = audit()
    assert status == 0, text
    assert "The books are clean." in text
    assert "6 orders" in text

    status, text = audit("--json")
    assert status == 0
    report = json.loads(text)
    assert list(report) == ["clean", "checks"]
    assert report["clean"] is True
    assert len(report["checks"]) == 9
    assert report["checks"][0] == {"name": "accounted", "ok": True, "counted": 6, "problems": []}

    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", shop["placed"])
    status, text = audit()
    assert status == 1
    assert "WRONG  accounted" in text
    assert f"Order {shop.number('placed')} is placed, and nothing is due for it" in text
    assert "Next: Are the relay and all worker pools running?" in text
    assert "The books are not clean: 1 of 9 checks failed." in text

    status, text = audit("--json")
    assert status == 1
    report = json.loads(text)
    assert report["clean"] is False
    assert [check["name"] for check in report["checks"] if not check["ok"]] == ["accounted"]

    status, text = audit("--json", "--without-ledgers")
    assert status == 1
    assert len(json.loads(text)["checks"]) == 8


def test_the_nightly_task_reports_what_is_wrong(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    prove_books()
    assert not caplog.records
    corrupt("UPDATE orders_order SET due_at = NULL WHERE id = %s", shop["placed"])
    prove_books()
    [record] = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage().startswith(f"The books are wrong (accounted): Order {shop.number('placed')} ")


def test_the_nightly_task_is_on_the_timetable_and_has_its_queue() -> None:
    [entry] = [entry for entry in app.conf.beat_schedule.values() if entry["task"] == prove_books.name]
    assert entry["task"] in app.tasks
    assert app.amqp.router.route({}, entry["task"])["queue"].name == QueueName.AUDIT
