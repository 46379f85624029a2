"""Makes Django ready, for what is loaded after it (tests.chaos.loaded)."""

import django

django.setup()
