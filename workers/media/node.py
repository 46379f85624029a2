"""The app of a node that serves nothing but `media`: `celery -A workers.media.node worker -Q media`.

It is the app of all nodes (workers.celery), but loads only what videos need. The tasks of orders, with the providers'
clients and the printing behind them, are half of what another node loads, and every process carries what its node has
loaded.
"""

from workers.celery import COMMON, app

app.conf.imports = (*COMMON, "workers.media.tasks")

__all__ = ["app"]
