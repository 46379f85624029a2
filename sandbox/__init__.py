"""The providers, for a laptop and for tests: payments, SMS, carrier and mailbox, each a process behind a socket.

The shop imports nothing of this, and this imports nothing of the shop. Each provider keeps a durable ledger of its own,
so what it reports is evidence and not a copy of what the shop believes.
"""
