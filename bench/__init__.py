"""Measures the whole stack from outside, as its customers and its neighbours meet it: over HTTP, SQL and the
providers' own ledgers. `replay` places a real retailer's month of orders, `rush` lets everybody buy at once, and
`bench` finds how many orders a second the shop can do and what each costs. Every figure stands beside a floor of the
same run."""
