"""The small pictures that a player shows while somebody scrubs: sheets of tiles, and WebVTT with their times.

They are made only of the smallest rendition's key frames, whose times are known, so a video of hours takes seconds.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.media.ladder import Rendition

WIDTH, HEIGHT = 160, 90  # pixels a tile has at most
ACROSS, DOWN = 10, 10  # tiles a sheet
MOST = 4 * ACROSS * DOWN


@dataclass(frozen=True, slots=True)
class Sheets:
    """The layout: every `step`th key frame is a tile, and a sheet has `across` × `down` tiles of `width` × `height`."""

    step: int
    tiles: int
    across: int
    down: int
    width: int
    height: int


def layout(rendition: Rendition, keys: int) -> Sheets:
    """The layout for so many key frames of this rendition."""
    step = math.ceil(keys / MOST)
    tiles = math.ceil(keys / step)
    across = min(tiles, ACROSS)
    scale = min(WIDTH / rendition.width, HEIGHT / rendition.height, 1)
    width, height = (max(2, round(side * scale / 2) * 2) for side in (rendition.width, rendition.height))
    return Sheets(step, tiles, across, min(math.ceil(tiles / across), DOWN), width, height)


def sheets_output(sheets: Sheets, folder: Path) -> list[str]:
    """ffmpeg's arguments to make the sheets from an input of which only key frames are decoded."""
    size, tiles = f"{sheets.width}:{sheets.height}", f"{sheets.across}x{sheets.down}"
    graph = f"select=not(mod(n\\,{sheets.step})),scale={size},tile={tiles}"
    quality = ("-q:v", "5", "-fps_mode", "passthrough", "-threads", "1")
    return ["-vf", graph, *quality, "-f", "image2", str(folder / "thumbnails-%02d.jpg")]


def vtt(sheets: Sheets, keys: Sequence[float], end: float) -> str:
    """The WebVTT file: which part of which sheet belongs to which time."""
    starts = [0.0, *keys[sheets.step :: sheets.step]]
    lines = ["WEBVTT", ""]
    for number, (start, until) in enumerate(zip(starts, [*starts[1:], end], strict=True)):
        sheet, place = divmod(number, sheets.across * sheets.down)
        row, column = divmod(place, sheets.across)
        area = f"{column * sheets.width},{row * sheets.height},{sheets.width},{sheets.height}"
        lines += [f"{_clock(start)} --> {_clock(until)}", f"thumbnails-{sheet + 1:02d}.jpg#xywh={area}", ""]
    return "\n".join(lines)


def _clock(seconds: float) -> str:
    whole, thousandths = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{thousandths:03d}"
