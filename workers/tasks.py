"""The tasks: thin as can be, one function of `orders` each. Every one takes a list of order ids."""

from typing import Any

from celery import Task

from orders import closing, inventory
from orders.invoices import issuing, printing
from orders.notifications import email, sms
from orders.payments import charging, refunding
from orders.shipping import booking
from workers import deadletters, printouts
from workers.celery import app
from workers.steps import StepTask, perform
from workers.workflow import Step


@app.task(base=StepTask, bind=True, name=Step.RESERVE.value)
def reserve(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.RESERVE, lambda batch: inventory.reserve(batch).reserved, ids)


@app.task(base=StepTask, bind=True, name=Step.CHARGE.value)
def charge(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.CHARGE, charging.charge, ids)


# The steps of a group keep their results: the chord counts them.
@app.task(base=StepTask, bind=True, name=Step.EMAIL.value, ignore_result=False)
def send_email(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.EMAIL, email.mail, ids)


@app.task(base=StepTask, bind=True, name=Step.SMS.value, ignore_result=False)
def send_sms(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.SMS, sms.text, ids)


@app.task(base=StepTask, bind=True, name=Step.INVOICE.value, ignore_result=False)
def issue_invoice(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.INVOICE, issuing.issue, ids)


@app.task(base=StepTask, bind=True, name=Step.SHIP.value, ignore_result=False)
def book_shipment(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.SHIP, booking.book, ids)


@app.task(base=StepTask, bind=True, name=Step.COMPLETE.value)
def complete(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.COMPLETE, closing.complete, ids)


@app.task(base=StepTask, bind=True, name=Step.RELEASE.value)
def release(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.RELEASE, inventory.release, ids)


@app.task(base=StepTask, bind=True, name=Step.GIVE_BACK.value)
def give_back(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.GIVE_BACK, refunding.give_back, ids)


@app.task(base=StepTask, bind=True, name=Step.CLOSE.value)
def close(self: Task[Any, Any], ids: list[int]) -> list[int]:
    return perform(self, Step.CLOSE, closing.close, ids)


@app.task(name="documents.render", time_limit=240)  # seconds
def render_documents(ids: list[int]) -> None:
    if given_up := printing.print_documents(ids):
        deadletters.bury_documents(given_up)


@app.task(name="documents.printout", time_limit=3_600)  # seconds; thousands of pages take minutes
def make_printout(printout_id: int) -> None:
    printouts.make(printout_id)
