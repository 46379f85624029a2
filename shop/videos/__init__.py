"""Product videos: how they are uploaded, what is known about them, and how a shopper watches them.

Encoding an uploaded video is the work of the `media` pool (workers.media).
"""
