"""What happens after the click: the Celery app, the steps, the relay, dead letters.

`celery -A workers` finds the app here.
"""

from workers.celery import app

__all__ = ["app"]
