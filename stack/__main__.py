"""`python -m stack`: what the launcher `./dev` hands over to."""

import sys

from stack.cli import main

sys.exit(main())
