"""The relay: the process that finds what is due and dispatches it. A list of duties (`duties`), each with its interval
and one function; any number of relays may run side by side.

It polls, and does not LISTEN: `NOTIFY` takes a lock over the whole database at commit, which would line up the very
commits that a crowd needs side by side.
"""
