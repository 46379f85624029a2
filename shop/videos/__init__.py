"""Product videos: how they come in, what is known of them, and how a shopper watches them.

What is done to them after they came in is the `media` pool's work (workers.media).
"""
