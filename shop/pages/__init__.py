"""The pages a shopper sees: browsing, the cart, the checkout, the order and its live progress.

Every page is complete HTML that works without JavaScript; htmx only saves a reload where one would be in the
way.
"""
