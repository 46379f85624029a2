"""The live process: uvicorn serves this to nginx, for the streams of the live order pages and nothing else.

Its settings are those of the shop's other processes and are checked in the same way; Django itself is not
started.
"""

import logging

from shop.environment import read_environment
from shop.live.streams import LiveApplication

_environment = read_environment()
logging.basicConfig(level=_environment.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
application = LiveApplication(_environment.database_url, _environment.broker_url)
