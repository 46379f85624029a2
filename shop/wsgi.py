"""The web process: granian serves this to nginx."""

import os

from django.core.wsgi import get_wsgi_application

from shop import collector

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()
collector.relieve()
