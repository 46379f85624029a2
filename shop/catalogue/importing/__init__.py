"""Imports products from a CSV file, plain or gzipped, UTF-8 with or without a byte order mark.

`importer` is the entry. The readers (`table`, `native`, `retail`, `sales`) need neither Django nor the database, so
they can be tested without, and the replay of a retailer's invoices can use them.

- native.py: our own format, one product a row
- sales.py: products made from a retailer's sales, whose rows retail.py reads
- drafts.py: what a reader returns; writer.py: what becomes of that in the database
"""
