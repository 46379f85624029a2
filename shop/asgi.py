"""The live process: uvicorn serves this to nginx, for the streams of the live order pages and nothing else.

It has the settings of all processes, checked in the same way; Django itself is not started.
"""

from logging.config import dictConfig

from shop.live.streams import LiveApplication
from shop.settings import BROKER_URL, DATABASE_URL, LOGGING

dictConfig(LOGGING)
application = LiveApplication(DATABASE_URL, BROKER_URL)
