"""What adapts Celery and kombu, each piece where their own behaviour would lose, hold up or hide an order.

Each says on which internals of which version it relies, and names the test that fails when they change.
"""
