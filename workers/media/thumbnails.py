"""The small pictures that a player shows while somebody scrubs: sheets of tiles, and WebVTT that says which is when.

They are made of the smallest rung's key frames alone, whose times are known: a video of hours takes seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.media.ladder import Rung

WIDTH, HEIGHT = 160, 90  # pixels a tile has at most
ACROSS, DOWN = 10, 10  # tiles a sheet
MOST = 4 * ACROSS * DOWN


@dataclass(frozen=True, slots=True)
class Sheets:
    """How the tiles lie: every `step`th key frame is one, `across` × `down` of them a sheet."""

    step: int
    tiles: int
    across: int
    down: int
    width: int
    height: int


def layout(rung: Rung, keys: int) -> Sheets:
    """The layout for so many key frames of this rung."""
    step = math.ceil(keys / MOST)
    tiles = math.ceil(keys / step)
    across = min(tiles, ACROSS)
    scale = min(WIDTH / rung.width, HEIGHT / rung.height, 1)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (rung.width, rung.height))
    return Sheets(step, tiles, across, min(math.ceil(tiles / across), DOWN), width, height)


def sheets_output(sheets: Sheets, folder: Path) -> list[str]:
    """ffmpeg's arguments to make the sheets of an input whose key frames alone are decoded."""
    size, tiles = f"{sheets.width}:{sheets.height}", f"{sheets.across}x{sheets.down}"
    graph = f"select=not(mod(n\\,{sheets.step})),scale={size},tile={tiles}"
    quality = ("-q:v", "5", "-fps_mode", "passthrough", "-threads", "1")
    return ["-vf", graph, *quality, "-f", "image2", str(folder / "thumbnails-%02d.jpg")]


def vtt(sheets: Sheets, keys: Sequence[float], end: float) -> str:
    """The WebVTT file: from when to when, which part of which sheet."""
    starts = [0.0, *keys[sheets.step :: sheets.step]]
    lines = ["WEBVTT", ""]
    for number, (start, until) in enumerate(zip(starts, [*starts[1:], end], strict=True)):
        sheet, place = divmod(number, sheets.across * sheets.down)
        row, column = divmod(place, sheets.across)
        area = f"{column * sheets.width},{row * sheets.height},{sheets.width},{sheets.height}"
        lines += [
            f"{_clock(start)} --> {_clock(until)}",
            f"thumbnails-{sheet + 1:02d}.jpg#xywh={area}",
            "",
        ]
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"
