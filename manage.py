#!/usr/bin/env python3
"""Django's command line: `./dev manage …` calls it with the stack's environment."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    if sys.argv[1:2] == ["after-restore"]:  # a command is a module, whose name has no hyphen
        sys.argv[1] = "after_restore"
    execute_from_command_line(sys.argv)
