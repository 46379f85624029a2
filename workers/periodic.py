"""The periodic tasks (their schedule is in workers.celery): the nightly books, and what processes left that died."""

import logging
from datetime import timedelta

from django.utils import timezone

from orders.payments import inbox
from orders.payments.reconciling import reconcile
from orders.providers.failures import ProviderError
from shop.cart import keeping as carts
from shop.videos import uploads
from workers.audit import books
from workers.celery import app

log = logging.getLogger(__name__)

WINDOW = timedelta(days=2)  # so that a missed night is made up for in the next


@app.task(name="audit.books")
def prove_books() -> None:
    """Prove what our own tables say; each problem is an error in the log."""
    for result in books.prove(with_ledgers=False).results:
        for problem in result.problems:
            log.error("The books are wrong (%s): %s", result.check.name, problem)


@app.task(name="audit.reconcile")
def reconcile_payments() -> None:
    """Compare the payment provider's list with the books. Each difference is a row that the operator sees, and an error
    in the log."""
    try:
        report = reconcile(timezone.now() - WINDOW)
    except ProviderError as error:
        log.error("The payment provider's list could not be read; the next try is tomorrow night: %s", error)
        return
    for change in (*report.mended, *report.resolved):
        log.info("Payments: %s", change)
    for finding in report.raised:
        log.error("Payments differ: %s", finding.detail)


@app.task(name="payment.sweep_inbox")
def sweep_inbox() -> None:
    """Apply reports of the payment provider that a process did not live to apply."""
    if swept := inbox.sweep():
        log.info("%d reports of the payment provider were applied late", swept)


@app.task(name="bulk.sweep_uploads")
def sweep_uploads() -> None:
    """Delete expired uploads; complete ones whose process died become videos."""
    deleted, completed = uploads.sweep()
    if deleted or completed:
        log.info("Uploads: %d expired and deleted, %d complete and made into videos.", deleted, completed)


@app.task(name="bulk.sweep_carts")
def sweep_carts() -> None:
    """Delete carts whose cookie has expired."""
    if deleted := carts.sweep():
        log.info("%d carts were expired and deleted.", deleted)
