"""The outside world in a box: every party the shop deals with, as honest peers behind sockets.

Nothing in here is imported by the shop, and nothing in here imports the shop: each provider is a process
of its own with a durable ledger of its own, so that what it says happened is evidence and not an echo.
"""
