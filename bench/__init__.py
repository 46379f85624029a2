"""Measures the whole house from outside, as its customers and its neighbours meet it: over HTTP, SQL and the
providers' own ledgers. `replay` carries a real retailer's month through the shop, `rush` lets everybody buy
at once, and `bench` finds how many orders a second it can do and what each costs. Every figure stands beside
a floor of the same run."""
