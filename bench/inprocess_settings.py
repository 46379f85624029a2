"""The shop's settings with e-mail going nowhere: for workers that are measured without providers (bench.inprocess)."""

from shop.settings import *  # noqa: F403

EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
