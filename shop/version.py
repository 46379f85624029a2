"""Which code this is: what a dead letter must say, so that whoever mends a bug knows whether it was mended before.

A fact of the build and not a setting. The image is built with it (`docker build --build-arg VERSION=…`), `./dev`
asks git when it starts the processes; a process cannot ask by itself, for the checkout may have moved on under it.
"""

import os

CODE_VERSION = os.environ.get("STAMPEDE_VERSION", "")[:60] or "unknown"
