"""`python -m sandbox.stack`: what the launcher `./dev` hands over to."""

import sys

from sandbox.stack.cli import main

sys.exit(main())
