"""The live order page's stream: server-sent events that say "something changed, fetch it".

The stream carries no state: the page fetches that from the shop, so a lost, late or doubled event does no harm. One
process holds thousands of streams (shop.live.streams) with one subscription to the feed (shop.live.feed) and one
database connection (shop.live.statuses) for all of them; shop.live.hub connects the three.
"""
