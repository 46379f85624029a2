"""The cart: what a visitor means to buy, before it is an order.

It lies in two tables (shop.cart.models) and the visitor's cookie only names it (shop.cart.cookie), because a browser
sends several requests at once: a cart in the cookie would be as the slowest answer had it. It is changed under its own
lock (shop.cart.keeping); what its products are and cost is looked up when it is shown (shop.cart.contents).
"""
