"""The app of a node that serves nothing but `media`: `celery -A workers.media.node worker -Q media`.

It is the app of all nodes (workers.celery), but loads only what videos need: neither the tasks of orders nor the
providers' clients, the letters and the printing behind them, which are half of what another node loads. There may be
many such nodes, and each of their processes carries what its node has loaded.
"""

from workers.celery import COMMON, app

app.conf.imports = (*COMMON, "workers.media.tasks")

__all__ = ["app"]
