"""Loads the shop and does nothing with it: what a process that is to die is forked from (tests.chaos.dying)."""

from workers.celery import app

app.loader.import_default_modules()
