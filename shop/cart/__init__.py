"""The cart: what a visitor means to buy, before it is an order.

It lives in the visitor's own signed cookie (shop.cart.cookie), so that a crowd that only fills carts writes
nothing to the database; what its products are and cost is looked up when it is shown (shop.cart.contents).
"""
