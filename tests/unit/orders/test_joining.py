"""Pieces put together: every page in its order, readable by others, in memory that does not grow with the pages."""

import io
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pikepdf
import pypdfium2
import pytest

from orders.layout import UnknownLayout
from orders.printouts import reports
from orders.printouts.joining import join, pages_of
from orders.typesetting import typeset
from stack.layout import ROOT

MOMENT = datetime(2026, 11, 21, tzinfo=UTC)
# Joins one part so many times, and says how many pages that made and how many MB of memory it took at most.
JOINS = """
import resource, sys
from pathlib import Path
from orders.printouts.joining import join
parts, whole = [Path(sys.argv[1])] * int(sys.argv[3]), Path(sys.argv[2])
with whole.open("wb") as file:
    print(join(parts, file, lambda: None), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def piece(number: int, rows: int = 60) -> bytes:
    assert reports.PAGES.template
    said = {
        "days": f"piece {number}",
        "zone": "UTC",
        "rows": [[f"S-{number}-{row}", *["x"] * 8] for row in range(rows)],
        "sums": [],
    }
    return typeset(
        reports.PAGES.template, {"piece": orjson.dumps(said).decode(), "first": str(number)}, [], MOMENT
    )


def test_all_pages_are_there_in_their_order_and_others_can_read_them(tmp_path: Path) -> None:
    parts = [tmp_path / f"{number}.pdf" for number in range(1, 6)]
    for number, part in enumerate(parts, start=1):
        part.write_bytes(piece(number))
    pages = sum(pages_of(part.read_bytes()) for part in parts)
    heard: list[None] = []
    whole = tmp_path / "whole.pdf"
    with whole.open("wb") as file:
        assert join(parts, file, lambda: heard.append(None)) == pages
    assert len(heard) == len(parts)
    with pikepdf.open(whole) as read:
        assert read.check_pdf_syntax() == []
        assert len(read.pages) == pages
    with pypdfium2.PdfDocument(whole) as read:
        text = [page.get_textpage().get_text_bounded() for page in read]
    assert len(text) == pages
    assert [number for number in range(1, 6) if any(f"S-{number}-59" in page for page in text)] == [
        1,
        2,
        3,
        4,
        5,
    ]
    for before, after in zip(range(1, 5), range(2, 6), strict=True):
        assert next(nr for nr, page in enumerate(text) if f"S-{before}-0" in page) < next(
            nr for nr, page in enumerate(text) if f"S-{after}-0" in page
        )
    with pypdfium2.PdfDocument(parts[2]) as alone, pypdfium2.PdfDocument(whole) as read:
        first = pages_of(parts[0].read_bytes()) + pages_of(parts[1].read_bytes())
        assert alone[0].render().to_pil().tobytes() == read[first].render().to_pil().tobytes()


def test_what_many_pieces_share_is_written_once(tmp_path: Path) -> None:
    part = tmp_path / "part.pdf"
    part.write_bytes(piece(1))
    once, often = io.BytesIO(), io.BytesIO()
    join([part], once, lambda: None)
    join([part] * 20, often, lambda: None)
    assert len(often.getvalue()) < 3 * len(once.getvalue())


def test_ten_thousand_pages_take_no_more_memory_than_a_hundred(tmp_path: Path) -> None:
    part = tmp_path / "part.pdf"
    part.write_bytes(piece(1, rows=400))
    each = pages_of(part.read_bytes())
    found = []
    for times in (100 // each + 1, 10_000 // each + 1):
        done = subprocess.run(
            [sys.executable, "-P", "-c", JOINS, part, tmp_path / "whole.pdf", str(times)],
            cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        pages, megabytes = map(int, done.stdout.split())
        assert pages == each * times
        found.append(megabytes)
    assert found[1] < found[0] + 40


def test_a_pdf_of_another_make_is_refused() -> None:
    with pikepdf.new() as other:
        other.add_blank_page()
        file = io.BytesIO()
        other.save(file, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    with pytest.raises(UnknownLayout):
        pages_of(file.getvalue())
