"""`./dev chaos`: the kill matrix. An isolated stack is killed, cut, wiped and lied to under load, and then proved.

plan            which faults are injected, in which order: a seed gives the same plan again
faulty_stack    the stack with its process manager, its crash points on and a network that can fail in between
proxy           that network: TCP connections that can be cut, slowed down and left half open
injector        injecting one fault of the plan
customers       the load generator, whose customers buy, cancel, confirm with their bank or do not
message_faults  messages doubled, delayed and reordered in the broker's queues
verdict         lost, doubled, oversold and when each order ended, from the books and the providers' ledgers
campaign        all of it, in its order
matrix, report  the table
"""
