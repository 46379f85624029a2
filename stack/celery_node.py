"""Celery's `worker` and `beat` without the rest of its command line; takes the same arguments (`-A workers` if none).

`celery` itself loads an interactive prompt and every plugin (Flower too) before it reads its arguments. That takes a
third of a second of CPU for each of six processes, together a fifth of the time that `./dev up` takes on a laptop. On
servers, which start rarely, `celery -A workers worker` does the same.
"""

import sys

from celery.app.utils import find_app
from celery.bin.base import CLIContext
from celery.bin.beat import beat
from celery.bin.worker import worker


def main() -> None:
    given = sys.argv[1:]
    app, (name, *arguments) = (given[1], given[2:]) if given[0] == "-A" else ("workers", given)
    context = CLIContext(app=find_app(app), no_color=True, workdir=None, quiet=False)
    {"worker": worker, "beat": beat}[name].main(args=arguments, prog_name=f"celery {name}", obj=context)


if __name__ == "__main__":
    main()
