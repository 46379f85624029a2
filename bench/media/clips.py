"""The clips that are measured with, made by ffmpeg itself: moving shapes, grain as a camera's, and a tone."""

import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg

from stack.program import StackError

FRAMES_A_SECOND = 30
STANDING_BACK = ("nice", "-n", "19", "chrt", "--idle", "0")
# A test picture alone is far too easy to encode; with this much noise it is about what a hand-held camera gives.
_GRAIN = "noise=alls=8:allf=t"


def width_of(height: int) -> int:
    """Of a picture of 16:9 with so many lines."""
    return height * 16 // 9 // 2 * 2


def make(file: Path, seconds: float, height: int) -> Path:
    """A clip of 16:9 with so many lines, a key frame each two seconds."""
    size = f"{width_of(height)}x{height}"
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={FRAMES_A_SECOND}:duration={seconds}"),
        *("-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"),
        *("-vf", f"{_GRAIN},format=yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-crf", "23"),
        *("-g", str(2 * FRAMES_A_SECOND), "-c:a", "aac", "-f", "mp4", str(file)),
    )
    return file


def ffmpeg(*arguments: str, core: int | None = None) -> None:
    """Run it, on this `core` alone if one is given; raises StackError with what it said when it fails.

    It stands back as far as in the shop: what disturbs the machine disturbs both alike, and a ratio stays one.
    """
    done = subprocess.run(
        [
            *(on_core(core) if core is not None else ()),
            *(STANDING_BACK if sys.platform == "linux" else ()),
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-y", "-loglevel", "error"),
            *arguments,
        ],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise StackError(f"ffmpeg failed:\n{done.stderr.strip()}")


def on_core(core: int) -> tuple[str, ...]:
    """What stands in front of a command that is to have this one core and no other (Linux)."""
    return ("taskset", "--cpu-list", str(core))
