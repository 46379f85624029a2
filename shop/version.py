"""The version of the code. A dead letter records it, so that people know whether the bug was already fixed then.

It is a fact of the build, not a setting. The image is built with it (`docker build --build-arg VERSION=…`), and `./dev`
asks git when it starts the processes; a process cannot ask later, because the checkout may have changed by then.
"""

import os

CODE_VERSION = os.environ.get("STAMPEDE_VERSION", "")[:60] or "unknown"
