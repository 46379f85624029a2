"""What the providers say they did, in temporary tables beside ours, so that SQL can compare.

The ledgers are read twice, before and after our books are opened, so that the audit holds while orders come in. What
the first reading shows was done before, so our books must have it. What our books claim was done before the second
reading, which is marked `late`, so both together must show it.

Pages go straight into a temporary table: a year of orders is never in memory.
"""

from collections.abc import Iterator, Mapping
from typing import Any, LiteralString

from django.conf import settings
from psycopg.types.json import Json

from orders import sql
from orders.models.order import NUMBER_OFFSET, NUMBER_PREFIX
from orders.providers.failures import ProviderError
from orders.providers.http import client, expect

PAYMENTS, SMS, CARRIER, MAILBOX = "payments", "sms", "carrier", "mailbox"
# The setting with each provider's address.
PROVIDERS = {PAYMENTS: "PAYMENTS_URL", SMS: "SMS_URL", CARRIER: "CARRIER_URL", MAILBOX: "MAILBOX_URL"}

_PAGE = 5_000

# The entries of all ledgers. Keys are made from the key of a row of ours: "<uuid>-charge", "<uuid>-sms", and
# "<uuid@domain>" for an e-mail. They are taken apart when they come in: `row_key` is the uuid, `purpose` the rest.
_CREATE: LiteralString = """
CREATE TEMPORARY TABLE audit_ledger (
    provider text NOT NULL, late boolean NOT NULL, kind text NOT NULL, key text NOT NULL, ref text NOT NULL,
    object text NOT NULL, order_number text NOT NULL, order_id bigint, amount bigint NOT NULL, currency text NOT NULL,
    row_key uuid, purpose text NOT NULL
)
"""
# What an earlier audit may have left in this connection.
_DROP: LiteralString = "DROP TABLE IF EXISTS pg_temp.audit_money, pg_temp.audit_ledger"
# Keep one page of a ledger, with its keys taken apart.
_FILL: LiteralString = """
INSERT INTO audit_ledger
SELECT %(provider)s, %(late)s, kind, key, ref, object, number,
       CASE WHEN number ~ ('^' || %(prefix)s || '[0-9]{1,15}$')
            THEN substr(number, length(%(prefix)s) + 1)::bigint - %(offset)s END,
       amount, currency,
       CASE WHEN bare ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}[-@]' THEN left(bare, 36)::uuid END,
       substr(bare, 38)
FROM (SELECT kind, coalesce(key, '') AS key, coalesce(ref, '') AS ref, coalesce(object, '') AS object,
             coalesce("order", '') AS number,
             coalesce(amount, 0) AS amount, upper(coalesce(currency, '')) AS currency
      FROM json_to_recordset(%(entries)s)
           AS page (kind text, key text, ref text, object text, "order" text, amount bigint, currency text)) AS entry,
     btrim(key, '<>') AS bare
"""
# An order's money as the provider has it: in the first reading, and in both. A lost dispute is money given back.
_SUM_UP: LiteralString = """
CREATE TEMPORARY TABLE audit_money AS
SELECT order_id,
       coalesce(sum(amount) FILTER (WHERE kind = 'captured' AND NOT late), 0)::bigint AS captured_early,
       coalesce(sum(amount) FILTER (WHERE kind = 'captured'), 0)::bigint AS captured,
       coalesce(sum(amount) FILTER (WHERE kind IN ('refunded', 'dispute_lost') AND NOT late), 0)::bigint
           AS refunded_early,
       coalesce(sum(amount) FILTER (WHERE kind IN ('refunded', 'dispute_lost')), 0)::bigint AS refunded
FROM audit_ledger WHERE provider = 'payments' AND order_id IS NOT NULL GROUP BY order_id
"""
# PostgreSQL knows nothing of new tables.
_ANALYZE: LiteralString = "ANALYZE audit_ledger, audit_money"

Positions = dict[str, int]


class Ledgers:
    """The providers' ledgers in temporary tables of this connection; `missing` says why one could not be read.

    `since` are positions to begin at, for ledgers that go back further than our database.
    """

    def __init__(self, since: Mapping[str, int] | None = None) -> None:
        self.positions: Positions = dict.fromkeys(PROVIDERS, 0) | dict(since or {})
        self.missing: dict[str, str] = {}
        self.drop()
        sql.count(_CREATE, {})

    def read(self, *, late: bool) -> None:
        """Read every ledger from where its last reading ended."""
        for provider in PROVIDERS:
            if provider in self.missing:
                continue
            try:
                for entries, after in _pages(provider, self.positions[provider]):
                    page = {"provider": provider, "late": late, "entries": Json(entries)}
                    sql.count(_FILL, {**page, "prefix": NUMBER_PREFIX, "offset": NUMBER_OFFSET})
                    self.positions[provider] = after
            except ProviderError as error:
                self.missing[provider] = f"The ledger of {provider} cannot be read: {error}"

    def sum_up(self) -> None:
        """Call it after the last reading and before anything is compared."""
        sql.count(_SUM_UP, {})
        sql.count(_ANALYZE, {})

    def drop(self) -> None:
        sql.count(_DROP, {})


def _pages(provider: str, after: int) -> Iterator[tuple[list[dict[str, Any]], int]]:
    base = getattr(settings, PROVIDERS[provider])
    if not base:
        raise ProviderError(f"{PROVIDERS[provider]} is not set")
    while True:
        url = f"{base.rstrip('/')}/ledger?after={after}&limit={_PAGE}"
        page = expect(*client().run(client().call("GET", url)), f"ledger of {provider}")
        entries, after = page["entries"], page["next"]
        if entries:
            yield entries, after
        if len(entries) < _PAGE:
            return
