"""Loads the stack and does nothing with it: what a process that is to die is forked from (tests.chaos.dying)."""

import django

django.setup()

from workers.celery import app  # noqa: E402 - there is no app before

app.loader.import_default_modules()
