"""What the clock has done (the schedule is in workers.celery): the nightly books, and what processes that died left."""

import logging
from datetime import timedelta

from django.utils import timezone

from orders.payments import inbox
from orders.payments.reconciling import reconcile
from orders.providers.failures import ProviderError
from shop.videos import uploads
from workers.audit import books
from workers.celery import app

log = logging.getLogger(__name__)

# A night that was missed is made up for in the next one.
WINDOW = timedelta(days=2)


@app.task(name="audit.books")
def prove_books() -> None:
    """Prove what our own tables say; each problem is an error in the log."""
    for result in books.prove(with_ledgers=False).results:
        for problem in result.problems:
            log.error("The books are wrong (%s): %s", result.check.name, problem)


@app.task(name="audit.reconcile")
def reconcile_payments() -> None:
    """Hold the payment provider's list against the books. Each difference is a row that the operator sees, and an
    error in the log."""
    try:
        report = reconcile(timezone.now() - WINDOW)
    except ProviderError as error:
        log.error("The payment provider's list could not be read; it is read again tomorrow night: %s", error)
        return
    for told in (*report.mended, *report.resolved):
        log.info("Payments: %s", told)
    for finding in report.raised:
        log.error("Payments differ: %s", finding.detail)


@app.task(name="payment.sweep_inbox")
def sweep_inbox() -> None:
    """Apply reports of the payment provider that a process had no time to apply."""
    if swept := inbox.sweep():
        log.info("%d reports of the payment provider were applied late", swept)


@app.task(name="bulk.sweep_uploads")
def sweep_uploads() -> None:
    """Expired uploads go; complete ones that a process left lying become videos."""
    thrown, handed = uploads.sweep()
    if thrown or handed:
        log.info("Uploads: %d expired and thrown away, %d complete and handed on.", thrown, handed)
