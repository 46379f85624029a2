"""The books: what must be true of every order at any moment, proved from our tables and the providers' own ledgers.

`books.prove` is the proof, `ledgers` reads what the providers say, `checks` has one module for each check.
"""
