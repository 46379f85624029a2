"""The keys of shipments and messages, made from the order and the kind of thing instead of drawn.

The row may be lost, when a backup is restored that is older than it. The next row for the same thing then comes to the
same key, and the provider knows that it has done this. The order's token goes in, and not its number: a number may be
given out twice after a restore, a token never is. Nobody finds the token from the key.
"""

from typing import LiteralString

from orders import sql

# Of `orders_order o`; $what is SQL for the kind of thing. SHA-256, since a server may be built without MD5.
_KEY: LiteralString = """
encode(substring(sha256(convert_to(o.token || ' ' || $what, 'UTF8')) FOR 16), 'hex')::uuid
"""
SHIPMENT: LiteralString = sql.compose(_KEY, what="'shipment'")


def of_message(channel: LiteralString, kind: LiteralString) -> LiteralString:
    """SQL of the key of a message; both are SQL themselves."""
    return sql.compose(_KEY, what=f"{channel} || ' ' || {kind}")
