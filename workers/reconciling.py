"""What beat rings about payments (workers.celery): the night's look at the provider's list, and every minute's at the
inbox, for reports that a process had no time to apply."""

import logging
from datetime import timedelta

from django.utils import timezone

from orders.payments import inbox
from orders.payments.reconciling import reconcile
from orders.providers.failures import ProviderError
from workers.celery import app

log = logging.getLogger(__name__)

# A night that was missed is made up for in the next one.
WINDOW = timedelta(days=2)


@app.task(name="audit.reconcile")
def look_at_the_providers_list() -> None:
    """Each difference is a row that the desk shows, and an error in the log."""
    try:
        report = reconcile(timezone.now() - WINDOW)
    except ProviderError as error:
        log.error(
            "The payment provider's list could not be read; the next night looks at it again: %s", error
        )
        return
    for told in (*report.mended, *report.resolved):
        log.info("Payments: %s", told)
    for finding in report.raised:
        log.error("Payments differ: %s", finding.detail)


@app.task(name="payment.sweep_inbox")
def sweep_inbox() -> None:
    if swept := inbox.sweep():
        log.info("%d reports of the payment provider were applied late", swept)
