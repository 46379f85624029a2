"""Words that several kinds of printout print."""

from django.utils.formats import date_format

from orders.models import Printout


def days(printout: Printout) -> str:
    """For headings: "21 November 2026", "1 November 2026 to 21 November 2026"; chosen orders have no days."""
    dates = [date_format(day, "j F Y") for day in (printout.since, printout.until) if day]
    if not dates:
        return f"{len(printout.order_ids):,} chosen orders" if printout.order_ids else ""
    return dates[0] if len(set(dates)) == 1 else " to ".join(dates)
