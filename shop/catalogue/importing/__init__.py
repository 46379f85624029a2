"""Brings products into the catalogue from a CSV file, plain or gzipped, UTF-8 with or without a byte order
mark.

Two formats are known, told apart by their columns; `docs` of each stand in its module:

- our own (`house`): one product a row, the file is the source of truth for what it names;
- a retailer's sales (`retail` reads the rows, `sales` makes products of them): one sold line a row.

`running` is the way in. Reading (`table`, `house`, `retail`, `sales`) knows neither Django nor the database,
so that what a file means can be tested, and used by the replay of a file's invoices, without either.
"""
