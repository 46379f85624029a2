"""Nothing is sold that was not there, nothing twice, and nothing vanishes."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from tests.integration.audit.conftest import Shop, corrupt


@contextmanager
def without_constraint(name: str) -> Iterator[None]:
    """The table without one of its guards; the block must leave rows that the guard accepts again."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [name])
        [definition] = cursor.fetchone()
        cursor.execute(f"ALTER TABLE orders_stockitem DROP CONSTRAINT {name}")
        try:
            yield
        finally:
            cursor.execute(f"ALTER TABLE orders_stockitem ADD CONSTRAINT {name} {definition}")


def test_stock_below_zero(shop: Shop) -> None:
    with without_constraint("stock_never_negative"):
        corrupt(
            "UPDATE orders_stockitem SET on_hand = -1, reserved = reserved + on_hand + 1 WHERE sku = 'RARE'"
        )
        problems = shop.problems_of("stock")
        corrupt("UPDATE orders_stockitem SET on_hand = 1, reserved = 0 WHERE sku = 'RARE'")
    assert "RARE has 1 stocked, but -1 on hand, 2 reserved and 0 sold." in problems


def test_a_piece_that_vanished(shop: Shop) -> None:
    with without_constraint("stock_adds_up"):
        corrupt("UPDATE orders_stockitem SET on_hand = 0 WHERE sku = 'RARE'")
        problem = shop.only_problem("stock")
        corrupt("UPDATE orders_stockitem SET on_hand = 1 WHERE sku = 'RARE'")
    assert problem == "RARE has 1 stocked, but 0 on hand, 0 reserved and 0 sold."


def test_a_sale_without_a_movement(shop: Shop) -> None:
    corrupt("UPDATE orders_stockitem SET sold = sold + 1, on_hand = on_hand - 1 WHERE sku = 'MUG'")
    assert shop.only_problem("stock") == "MUG has 5 sold, but its movements make 4."


def test_movements_of_an_article_that_is_not_in_stock(shop: Shop) -> None:
    corrupt("INSERT INTO orders_stockmovement (sku, kind, quantity) VALUES ('GHOST', 'stocked', 3)")
    assert shop.only_problem("stock") == "GHOST has 0 stocked, but its movements make 3."


def test_a_reservation_of_half_an_order_that_is_not_reserved(shop: Shop) -> None:
    corrupt(
        "INSERT INTO orders_stockmovement (sku, order_id, kind, quantity) VALUES ('MUG', %s, 'reserved', 2)",
        shop["placed"],
    )
    corrupt("UPDATE orders_stockitem SET reserved = reserved + 2, on_hand = on_hand - 2 WHERE sku = 'MUG'")
    number = shop.number("placed")
    assert shop.problems_of("stock") == [
        f"Order {number} reserved 0 of BOOK, having ordered 1.",
        f"Order {number} is placed, but has reserved 2 of MUG.",
    ]


def test_more_taken_than_ordered(shop: Shop) -> None:
    corrupt(
        "UPDATE orders_stockmovement SET quantity = 3 WHERE order_id = %s AND sku = 'MUG'", shop["completed"]
    )
    corrupt("UPDATE orders_stockitem SET sold = sold + 1, on_hand = on_hand - 1 WHERE sku = 'MUG'")
    assert (
        shop.only_problem("stock") == f"Order {shop.number('completed')} reserved 3 of MUG, having ordered 2."
    )


def test_a_reservation_for_nobody(shop: Shop) -> None:
    corrupt(
        "INSERT INTO orders_stockmovement (sku, order_id, kind, quantity) VALUES ('RARE', 777000, 'reserved', 1)"
    )
    corrupt("UPDATE orders_stockitem SET reserved = 1, on_hand = 0 WHERE sku = 'RARE'")
    assert shop.only_problem("stock") == "Order S-877000 reserved 1 of RARE, having ordered 0."


def test_a_parcel_whose_goods_are_still_on_the_shelf(shop: Shop) -> None:
    corrupt(
        "UPDATE orders_stockmovement SET kind = 'released' WHERE order_id = %s AND sku = 'MUG' AND kind = 'sold'",
        shop["completed"],
    )
    corrupt("UPDATE orders_stockitem SET sold = sold - 2, on_hand = on_hand + 2 WHERE sku = 'MUG'")
    problem = shop.only_problem("stock")
    assert problem == f"Order {shop.number('completed')} is shipped, but its MUG is not booked as sold."


def test_goods_sold_twice(shop: Shop) -> None:
    """The cancelled order's mugs went back to the shelf, and away as well."""
    corrupt(
        "INSERT INTO orders_stockmovement (sku, order_id, kind, quantity) VALUES ('MUG', %s, 'sold', 2)",
        shop["cancelled"],
    )
    found = shop.problems()
    assert found["stock"] == [
        "MUG has 0 reserved, but its movements make -2.",
        "MUG has 4 sold, but its movements make 6.",
        f"Order {shop.number('cancelled')} let go of 4 of MUG (2 released, 2 sold), having reserved 2.",
    ]
