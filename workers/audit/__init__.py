"""The books: what must be true of every order at any moment, proved from our tables and the providers' own ledgers."""
