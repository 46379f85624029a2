"""The whole of Stampede on one machine: what `./dev` runs.

It knows the shop only as programs to start, and speaks to them over sockets; it imports nothing of theirs.
"""
