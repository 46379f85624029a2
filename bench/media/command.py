"""Runs the measurements of the media pool, videos and then invoices, prints their figures and writes them down."""

import tempfile
from pathlib import Path

from bench import documents
from bench.cli import finish
from bench.display import in_words, show_targets
from bench.media import measuring
from bench.media.measuring import FULL, SHORT, Size
from stack.console import out
from stack.layout import STACK

__all__ = ["FULL", "SHORT", "bench"]


def bench(size: Size, file: Path | None) -> int:
    """Measure, print, write; returns the exit code, which is 1 when something was wrong and not merely slow."""
    STACK.base.mkdir(mode=0o700, parents=True, exist_ok=True)
    # On the disk of the isolated stacks, so that a clip is in its place without being copied.
    with tempfile.TemporaryDirectory(prefix="bench-clips-", dir=STACK.base) as folder:
        videos, problems = measuring.measure(size, Path(folder))
    invoices = documents.measure(documents.SHORT if size is SHORT else documents.FULL)
    for name, measured in videos.items():
        out.print(f"\n[bold]{name.replace('_', ' ')}[/bold]: {measured['what']}")
        for label, value in measured.items():
            if label != "what":
                out.print(f"  {label.replace('_', ' '):<36}{in_words(value)}", markup=False)
    out.print()
    targets = measuring.targets(videos)
    show_targets({"targets": targets})
    documents.show(invoices)
    targets += invoices.pop("targets")
    problems += invoices.pop("problems")
    found = {**videos, "targets": targets, "documents": invoices, "problems": problems}
    return finish(found, problems, file)
