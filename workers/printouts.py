"""Which recipe makes which kind of printout, and what becomes of one that is given up.

The recipes belong to their rooms, orders and the catalogue; only here are all of them known.
"""

from orders.models import Printout
from orders.printouts import making, picking, reports, slips
from orders.printouts.recipes import Recipe
from shop.catalogue import printing as catalogue
from workers import deadletters

RECIPES: dict[Printout.Kind, Recipe] = {
    Printout.Kind.PACKING_SLIPS: slips.RECIPE,
    Printout.Kind.PICK_LIST: picking.RECIPE,
    Printout.Kind.CATALOGUE: catalogue.RECIPE,
    Printout.Kind.ORDERS_PDF: reports.PAGES,
    Printout.Kind.ORDERS_CSV: reports.LINES,
}


def make(printout_id: int) -> None:
    if error := making.make(printout_id, RECIPES):
        deadletters.bury_printout(Printout.objects.get(pk=printout_id), error)
