"""Runs the measurements of the media pool, videos and then invoices, tells their figures and writes them down."""

import json
import tempfile
from pathlib import Path
from typing import Any

from bench import documents
from bench.display import tell_media
from bench.media import measuring
from bench.media.measuring import FULL, SHORT, Size
from stack.layout import STACK

__all__ = ["FULL", "SHORT", "bench"]


def bench(size: Size, file: Path | None) -> int:
    """Measure, tell, write; returns the exit code, which is 1 when something was wrong and not merely slow."""
    STACK.base.mkdir(mode=0o700, parents=True, exist_ok=True)
    # On the disk of the houses, so that a clip is in its place without being copied.
    with tempfile.TemporaryDirectory(prefix="bench-clips-", dir=STACK.base) as folder:
        found: dict[str, Any]
        found, problems = measuring.in_a_house(size, Path(folder))
        found["spread"] = measuring.spread(size, Path(folder))
    invoices = documents.measure(documents.SHORT if size is SHORT else documents.FULL)
    tell_media({**found, "targets": measuring.targets(found), "problems": problems})
    documents.tell(invoices)
    problems = [*problems, *invoices.pop("problems")]
    found = {
        **found,
        "targets": [*measuring.targets(found), *invoices.pop("targets")],
        "documents": invoices,
        "problems": problems,
    }
    if file:
        file.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 1 if problems else 0
