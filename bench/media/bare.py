"""The floor: the same files of the same clip by ffmpeg alone, as somebody who knows it well would type it.

One process decodes once and encodes every size, the sound, the file for old players, thumbnails and poster, with the
filter graph, the preset, the bit rates and the key frames of workers.media.ladder.
"""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.media.clips import ffmpeg
from workers.media import ladder
from workers.media.ladder import Rendition

_HLS = (
    f"f=hls:hls_time={ladder.KEY_SECONDS}:hls_playlist_type=vod:hls_segment_type=fmp4:hls_flags=single_file"
)
# From key frames alone, of which a film has one every few seconds.
_STILLS = ";[1:v]split=2[p][t];[p]thumbnail=8[poster];[t]scale=160:-2,tile=5x5[sheets]"


def whole(source: Path, width: int, height: int, folder: Path) -> float:
    """Make everything of the clip with one command; returns its seconds."""
    folder.mkdir()
    renditions = ladder.renditions(width, height)
    arguments = ["-i", str(source), "-skip_frame", "nokey", "-i", str(source)]
    arguments += ["-filter_complex", ladder.picture_graph(renditions, 0, None) + _STILLS]
    for number, rendition in enumerate(renditions):
        written, sound = [f"[select=v:{_HLS}]{folder / rendition.name}.m3u8"], []
        if rendition == ladder.fallback(renditions):
            sound = ["-map", "0:a:0", "-c:a", "aac", "-b:a", f"{ladder.AUDIO_KBITS}k"]
            written += [
                f"[f=mp4:movflags=+faststart]{folder / 'fallback.mp4'}",
                f"[select=a:{_HLS}]{folder / 'sound.m3u8'}",
            ]
        arguments += ["-map", f"[v{number}]", *sound, *_encoder(rendition), "-flags", "+global_header"]
        arguments += ["-f", "tee", "|".join(written)]
    arguments += ["-map", "[poster]", "-frames:v", "1", "-update", "1", str(folder / "poster.jpg")]
    arguments += ["-map", "[sheets]", "-fps_mode", "passthrough", str(folder / "sheet-%02d.jpg")]
    begun = time.monotonic()
    ffmpeg(*arguments)
    return time.monotonic() - begun


def pictures(
    source: Path, spans: Sequence[tuple[float, float]], width: int, height: int, folder: Path
) -> float:
    """Encode the clip's picture in all sizes, for each span a process on a core of its own; returns the seconds."""
    folder.mkdir()
    renditions = ladder.renditions(width, height)

    def one(core: int) -> None:
        start, end = spans[core]
        arguments = ["-threads", "1", "-ss", f"{start:.3f}", "-to", f"{end:.3f}", "-i", str(source)]
        arguments += ["-filter_complex", ladder.picture_graph(renditions, 0, None)]
        for number, rendition in enumerate(renditions):
            arguments += ["-map", f"[v{number}]", *_encoder(rendition), "-threads", "1"]
            arguments.append(str(folder / f"{core}-{rendition.name}.mp4"))
        ffmpeg(*arguments, core=core)

    begun = time.monotonic()
    with ThreadPoolExecutor(len(spans)) as threads:
        list(threads.map(one, range(len(spans))))
    return time.monotonic() - begun


def _encoder(rendition: Rendition) -> list[str]:
    return [
        *("-c:v", "libx264", "-preset", ladder.PRESET, "-crf", str(ladder.CRF), "-profile:v", "high"),
        *("-maxrate", f"{rendition.kbits}k", "-bufsize", f"{2 * rendition.kbits}k"),
        *("-force_key_frames", f"expr:gte(t,n_forced*{ladder.KEY_SECONDS})", "-sc_threshold", "0"),
        *("-g", "100000"),
    ]
