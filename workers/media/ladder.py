"""What a video is made into: the sizes and bit rates, and ffmpeg's arguments for them.

H.264 and AAC, for these play everywhere. A rung is named by its shorter side, so that a portrait video of a phone
counts as what it is; none is larger than its source. The quality is constant (CRF) under a ceiling for each rung: a
quiet picture costs few bits, a wild one no more than its rung may. Each size is scaled from the next larger one, which
costs a third of scaling all from the source.

A key frame stands at each KEY_SECONDS of a segment in all rungs alike, so that a player may change rungs there. Frames
keep the times of their source, so none is lost or doubled at a cut, whatever the frame rate does. For the same reason
there are no B-frames: the order in which frames are decoded is the order in which they are shown, and segments put end
to end fit to the tick in every player, also where frames come at odd times. It costs a tenth of the bits and saves as
much of the processor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

# Shorter side in pixels, highest bit rate in kbit/s.
LADDER = ((1080, 5_000), (720, 2_800), (480, 1_400), (240, 400))
# A source so many times larger than the largest of these that fits is a rung of its own.
OWN_SIZE = 1.25
PRESET = "veryfast"
CRF = 23
KEY_SECONDS = 2
AUDIO_KBITS, AUDIO_RATE = 128, 48_000
# The encoder's own delay: as many samples stand before the first one that it was given.
AUDIO_PRIMING = 1_024
FALLBACK = 720  # the largest rung that the one file for players without HLS may be

# A fragment a key frame, each with its place in time, and nothing around them: such files put end to end are one file.
_FRAGMENTED = ("-f", "mp4", "-use_editlist", "0", "-avoid_negative_ts", "disabled")
_FLAGS = "empty_moov+default_base_moof+frag_discont+skip_trailer"
# Nothing of the source's own words (a phone writes where it was) goes into what everybody may have.
_NAMELESS = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")


@dataclass(frozen=True, slots=True)
class Rung:
    """One size of the video; its name is that of its files."""

    name: str
    width: int
    height: int
    kbits: int


def rungs(width: int, height: int) -> list[Rung]:
    """The sizes for a source of this one, largest first: those of the ladder that are no larger, and the source's own
    where it is a good deal larger than these and smaller than the ladder."""
    short = min(width, height)
    chosen = [(size, kbits) for size, kbits in LADDER if size <= short]
    if not chosen or (chosen[0] != LADDER[0] and short >= OWN_SIZE * chosen[0][0]):
        size, kbits = min((rung for rung in LADDER if rung[0] > short), default=LADDER[0])
        chosen.insert(0, (short, max(LADDER[-1][1] // 2, round(kbits * (short / size) ** 2))))
    return [
        Rung(f"{size}p", _even(width * size / short, width), _even(height * size / short, height), kbits)
        for size, kbits in chosen
    ]


def fallback(ladder: Sequence[Rung]) -> Rung:
    """The rung of the one file for players that know no HLS."""
    return next((rung for rung in ladder if int(rung.name[:-1]) <= FALLBACK), ladder[-1])


def timescale(frame_rate: str) -> int:
    """Ticks a second in which the times of this frame rate's frames are whole numbers, where there are such."""
    rate = Fraction(frame_rate)
    if 90_000 * rate.denominator % rate.numerator == 0 or not 1_000 <= rate.numerator <= 1_000_000:
        return 90_000
    return rate.numerator


def picture_graph(ladder: Sequence[Rung], start_ms: int, end_ms: int | None) -> str:
    """The filter graph from the source's picture to an output a rung, [v0] the largest. Times stay the source's."""
    end = "" if end_ms is None else f":end={end_ms / 1000:.3f}"
    graph = f"[0:V:0]trim=start={start_ms / 1000:.3f}{end}"
    for number, rung in enumerate(ladder):
        graph += f",scale={rung.width}:{rung.height}:flags=bicubic,setsar=1,format=yuv420p"
        last = number == len(ladder) - 1
        graph += f"[v{number}]" if last else f",split=2[v{number}][s{number}];[s{number}]null"
    return graph


def picture_output(
    number: int, rung: Rung, file: Path, *, ticks: int, start_ms: int, index: int, threads: int
) -> list[str]:
    """The arguments for output [v`number`] of the graph; `index` numbers its first fragment."""
    return [
        *("-map", f"[v{number}]", *_NAMELESS),
        *("-c:v", "libx264", "-preset", PRESET, "-crf", str(CRF), "-profile:v", "high", "-bf", "0"),
        *("-maxrate", f"{rung.kbits}k", "-bufsize", f"{2 * rung.kbits}k", "-threads", str(threads)),
        *(
            "-force_key_frames",
            f"expr:gte(t,{start_ms / 1000:.3f}+n_forced*{KEY_SECONDS})",
            "-forced-idr",
            "1",
        ),
        *("-g", "100000", "-sc_threshold", "0"),
        *("-fps_mode", "passthrough", "-enc_time_base", f"1:{ticks}", "-video_track_timescale", str(ticks)),
        *(*_FRAGMENTED, "-movflags", f"{_FLAGS}+frag_keyframe", "-fragment_index", str(index), str(file)),
    ]


def sound_output(file: Path, duration_ms: int) -> list[str]:
    """The arguments for the sound of the whole: as long as the picture, silent where the source has none.

    What the encoder puts before the first sample is cut off the source's beginning instead (21 ms): so picture and
    sound agree in every player, also in those that overlook a note about it.
    """
    whole = duration_ms / 1000
    graph = (
        f"aresample={AUDIO_RATE}:async=1000:first_pts=0,apad=whole_dur={whole:.3f},atrim=end={whole:.3f},"
        f"atrim=start_sample={AUDIO_PRIMING},asetpts=N/SR/TB"
    )
    return [
        *("-map", "0:a:0", *_NAMELESS, "-af", graph),
        *("-c:a", "aac", "-aac_coder", "fast", "-b:a", f"{AUDIO_KBITS}k", "-ac", "2", "-ar", str(AUDIO_RATE)),
        *("-f", "mp4", "-use_editlist", "0", "-avoid_negative_ts", "make_zero"),
        *("-movflags", "empty_moov+default_base_moof+skip_trailer"),
        *("-frag_duration", str(KEY_SECONDS * 1_000_000), str(file)),
    ]


def _even(pixels: float, most: int) -> int:
    """To the nearest even number, which the encoder wants, and no larger than the source."""
    return max(2, min(round(pixels / 2) * 2, most // 2 * 2))
