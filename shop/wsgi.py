"""The web process: granian serves this to nginx."""

import os

from django.core.wsgi import get_wsgi_application

from orders.database import patience
from shop import collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
# Seconds: people would rather be told to try again than wait, and a frozen database must not hold all threads.
patience.limit(5)
collector.relieve()
