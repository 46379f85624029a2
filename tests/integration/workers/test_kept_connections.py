"""A worker keeps its connection between tasks, and drops one whose server has gone: whatever the task is."""

from pathlib import Path

import psycopg
import pytest
from django.db import connection
from pytest_django import Settings

from orders import inventory
from orders.invoices import issuing
from orders.models import Document, InvoiceCounter
from orders.payments import charging
from tests.making import place_order, stock
from workers.celery import app
from workers.tasks import render_documents

pytestmark = pytest.mark.django_db(transaction=True)


def hang_up() -> None:
    """End the session of this process from outside, as a crash of the server does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    told = connection.get_connection_params()
    with psycopg.connect(
        host=told["host"], port=told["port"], user=told["user"], password=told["password"], dbname="postgres"
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def test_a_pdf_is_made_by_a_worker_whose_database_was_restarted(settings: Settings, tmp_path: Path) -> None:
    InvoiceCounter.objects.get_or_create()  # a migration made it; the end of a transactional test removes it
    settings.MEDIA_ROOT = str(tmp_path)
    stock(KETTLE=1)
    order = place_order()
    for step in (inventory.reserve, charging.charge, issuing.issue):
        step([order.pk])
    document = Document.objects.get(order=order)
    app.loader.import_default_modules()  # as a node does: what it does before each task is among them
    hang_up()
    render_documents.apply(args=([document.pk],), throw=True)
    document.refresh_from_db()
    assert document.file
    assert document.due_at is None
