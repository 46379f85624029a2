"""`./dev chaos`: the kill matrix. A house of its own is killed, cut, wiped and lied to under load, and then proved.

plan       what is done to it, in which order: a seed gives the same plan again
house      the house with its process manager, its crash points on and a network that can fail in between
proxy      that network: TCP connections that can be cut, slowed down and left half open
strikes    doing one thing of the plan
crowd      the customers, who buy, cancel, confirm with their bank or do not
meddler    messages doubled, delayed and reordered in the broker's queues
verdict    lost, doubled, oversold and how long it took to recover, from the books and the providers' ledgers
campaign   all of it, in its order
matrix     the table
"""
