"""Makes files for people: PDFs of invoices and credit notes, and what the operator prints or saves.

The recipes of printouts belong to orders and to the catalogue; only here all of them are known.
"""

import logging
from collections.abc import Collection

from orders.invoices import printing
from orders.lease import Lease, LeaseLost, Poison
from orders.models import Document, Printout
from orders.printouts import making, picking, reports, slips
from orders.printouts.recipes import Recipe
from shop.catalogue import printing as catalogue
from workers import deadletters
from workers.leased import holding
from workers.queues import QueueName
from workers.retry import INFRASTRUCTURE_DOWN, POLICIES

log = logging.getLogger(__name__)

RENDER, PRINTOUT = "documents.render", "documents.printout"

RECIPES: dict[Printout.Kind, Recipe] = {
    Printout.Kind.PACKING_SLIPS: slips.RECIPE,
    Printout.Kind.PICK_LIST: picking.RECIPE,
    Printout.Kind.CATALOGUE: catalogue.RECIPE,
    Printout.Kind.ORDERS_PDF: reports.PAGES,
    Printout.Kind.ORDERS_CSV: reports.LINES,
}
_POLICY = POLICIES[QueueName.DOCUMENTS]


def render(ids: Collection[int]) -> None:
    """Make the PDFs of those of the documents that no other worker has in hand."""
    lease = Lease(printing.DOCUMENTS, ids)
    with holding(lease, f"Making {len(ids)} PDFs"):
        errors = printing.print_documents(lease.take(), lease.renew_in_time)
        give_up_documents(lease.fail(errors, _POLICY))


def give_up_documents(errors: dict[int, Exception]) -> None:
    """Leave these documents to a person, with dead letters."""
    if errors:
        orders = dict(Document.objects.filter(pk__in=errors).values_list("pk", "order_id"))
        deadletters.bury_documents({orders[pk]: error for pk, error in errors.items()})


def give_up_poisoned(ids: Collection[int]) -> None:
    give_up_documents(dict.fromkeys(ids, Poison()))


def make_printout(printout_id: int) -> None:
    """Make the printout, unless another worker has it in hand."""
    lease = Lease(making.PRINTOUTS, [printout_id])
    with holding(lease, f"P-{printout_id}"):
        if not lease.take():
            return
        printout = Printout.objects.get(pk=printout_id)
        try:
            making.make(printout, RECIPES[Printout.Kind(printout.kind)], lease)
        except (LeaseLost, *INFRASTRUCTURE_DOWN):
            raise
        except Exception as error:
            log.exception("%s could not be made", printout)
            if lease.fail({printout_id: error}, _POLICY):
                give_up_printout(printout_id, error)


def give_up_printout(printout_id: int, error: BaseException) -> None:
    """Leave the printout to a person, unless it has ended meanwhile."""
    printout = Printout.objects.get(pk=printout_id)
    if making.give_up(printout, error):
        deadletters.bury_printout(printout, error)


def give_up_poisoned_printouts(ids: Collection[int]) -> None:
    for printout_id in ids:
        give_up_printout(printout_id, Poison())
