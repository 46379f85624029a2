"""What adapts Celery and kombu, where their own behaviour would lose an order, delay it or hide it.

Each module says on which internals of which version it relies, and which tests fail when they change.
"""
