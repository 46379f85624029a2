"""What happens after the click: the Celery app, the workflow, the relay, dead letters."""
