"""All of Stampede on one machine: what `./dev` does.

It starts the shop's programs and speaks to them over sockets; it imports nothing of them.
"""
