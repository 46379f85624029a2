"""The ladder of sizes and bit rates that a video is encoded in, and ffmpeg's arguments for them.

H.264 and AAC, because they play everywhere. A rendition is named by its shorter side, so that a phone's portrait video
counts by its real size; none is larger than its source. The quality is constant (CRF) under a ceiling for each
rendition: a quiet picture costs few bits, a wild one no more than the ceiling. Each size is scaled from the next larger
one, which costs a third of scaling all from the source.

All renditions of a segment have a key frame every KEY_SECONDS, so that a player can switch between them there. Frames
keep the times of their source, so none is lost or doubled at a cut, whatever the frame rate does. For the same reason
there are no B-frames: frames are decoded in the order in which they are shown, and concatenated segments fit to the
tick in every player, even when frames come at odd times. It costs a tenth of the bits and saves a tenth of the
processor time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

# Shorter side in pixels, highest bit rate in kbit/s.
LADDER = ((1080, 5_000), (720, 2_800), (480, 1_400), (240, 400))
# When the source is so many times larger than the largest size that fits, its own size is a rendition too.
OWN_SIZE = 1.25
PRESET = "veryfast"
CRF = 23
KEY_SECONDS = 2
FASTEST = 60  # frames a second
# HDR's names in ffmpeg, and the light of a white page in it, in cd/m² (ITU-R BT.2408).
_TRANSFER = {"hlg": "arib-std-b67", "pq": "smpte2084"}
_REFERENCE_WHITE = 203
AUDIO_KBITS, AUDIO_RATE = 128, 48_000
# The encoder's delay: it puts so many samples before the first one that it was given.
AUDIO_PRIMING = 1_024
FALLBACK = 720  # the largest rendition for the single file that players without HLS get

# A fragment for each key frame, each with its place in time, and nothing around them: such files can be concatenated.
_FRAGMENTED = ("-f", "mp4", "-use_editlist", "0", "-avoid_negative_ts", "disabled")
_FLAGS = "empty_moov+default_base_moof+frag_discont+skip_trailer"
# The source's metadata is not for the public: a phone writes down where it was.
_NO_METADATA = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")


@dataclass(frozen=True, slots=True)
class Rendition:
    """One size of the video; its files have its name."""

    name: str
    width: int
    height: int
    kbits: int


def renditions(width: int, height: int) -> list[Rendition]:
    """The sizes for a source of this size, largest first: those of the ladder that are no larger, and the source's own
    if it is much larger than these but smaller than the ladder's largest."""
    short = min(width, height)
    chosen = [(size, kbits) for size, kbits in LADDER if size <= short]
    if not chosen or (chosen[0] != LADDER[0] and short >= OWN_SIZE * chosen[0][0]):
        size, kbits = min((step for step in LADDER if step[0] > short), default=LADDER[0])
        chosen.insert(0, (short, max(LADDER[-1][1] // 2, round(kbits * (short / size) ** 2))))
    return [
        Rendition(f"{size}p", _even(width * size / short, width), _even(height * size / short, height), kbits)
        for size, kbits in chosen
    ]


def fallback(ladder: Sequence[Rendition]) -> Rendition:
    """The rendition of the single file for players without HLS."""
    return next((rendition for rendition in ladder if int(rendition.name[:-1]) <= FALLBACK), ladder[-1])


def timescale(frame_rate: str) -> int:
    """Ticks a second with which the frames of this frame rate have whole times, if there is such a number."""
    rate = Fraction(frame_rate)
    if 90_000 * rate.denominator % rate.numerator == 0 or not 1_000 <= rate.numerator <= 1_000_000:
        return 90_000
    return rate.numerator


def shown_rate(frame_rate: str) -> float:
    """Frames a second of what is shown: no more than FASTEST."""
    return min(float(Fraction(frame_rate)), FASTEST)


def repairs(hdr: str, interlaced: bool, frame_rate: str, largest: Rendition) -> list[str]:
    """The filters that make of a camera's picture what every browser shows as it is meant.

    Of half pictures whole ones are made, as many as there were frames. Of more frames than FASTEST (slow motion) those
    that a screen could not show are left out. HDR becomes BT.709: its light is made linear, brought down to the largest
    size first because that costs less, its colours are fitted into the smaller space and the highlights rolled off.
    """
    filters = []
    if interlaced:
        filters.append("bwdif=mode=send_frame:deint=interlaced")
    if Fraction(frame_rate) > FASTEST * 1.02:
        filters.append(f"select='isnan(prev_t)+gt(floor(t*{FASTEST}+0.25),floor(prev_t*{FASTEST}+0.25))'")
    if hdr:
        filters += [
            f"scale={largest.width}:{largest.height}:flags=bicubic",
            f"setparams=color_primaries=bt2020:colorspace=bt2020nc:color_trc={_TRANSFER[hdr]}",
            f"zscale=transfer=linear:npl={_REFERENCE_WHITE},format=gbrpf32le,zscale=primaries=bt709",
            "tonemap=mobius:desat=0:param=0.7:peak=5",
            "zscale=transfer=bt709:matrix=bt709:range=tv:dither=error_diffusion",
        ]
    return filters


def still_until(from_ms: int, end_ms: int) -> str:
    """The filter that shows the last picture, once a second, until a longer sound ends."""
    again = f"lt(t,{from_ms / 1000:.3f})+isnan(prev_selected_t)+gte(t-prev_selected_t,1)"
    return f"tpad=stop=-1:stop_mode=clone,trim=end={end_ms / 1000:.3f},select='{again}'"


def picture_graph(
    ladder: Sequence[Rendition], start_ms: int, end_ms: int | None, repairs: Sequence[str] = ()
) -> str:
    """The filter graph from the source's picture to one output a rendition, [v0] the largest. Times do not change."""
    end = "" if end_ms is None else f":end={end_ms / 1000:.3f}"
    graph = ",".join([f"[0:V:0]trim=start={start_ms / 1000:.3f}{end}", *repairs])
    for number, rendition in enumerate(ladder):
        graph += (
            f",scale={rendition.width}:{rendition.height}:flags=bicubic:out_range=tv,setsar=1,format=yuv420p"
        )
        last = number == len(ladder) - 1
        graph += f"[v{number}]" if last else f",split=2[v{number}][s{number}];[s{number}]null"
    return graph


def picture_output(
    number: int, rendition: Rendition, file: Path, *, ticks: int, start_ms: int, index: int, threads: int
) -> list[str]:
    """The arguments for output [v`number`] of the graph; `index` is the number of its first fragment."""
    return [
        *("-map", f"[v{number}]", *_NO_METADATA),
        *("-c:v", "libx264", "-preset", PRESET, "-crf", str(CRF), "-profile:v", "high", "-bf", "0"),
        *("-maxrate", f"{rendition.kbits}k", "-bufsize", f"{2 * rendition.kbits}k", "-threads", str(threads)),
        *("-force_key_frames", f"expr:gte(t,{start_ms / 1000:.3f}+n_forced*{KEY_SECONDS})"),
        *("-forced-idr", "1", "-g", "100000", "-sc_threshold", "0"),
        *("-fps_mode", "passthrough", "-enc_time_base", f"1:{ticks}", "-video_track_timescale", str(ticks)),
        *(*_FRAGMENTED, "-movflags", f"{_FLAGS}+frag_keyframe", "-fragment_index", str(index), str(file)),
    ]


def sound_output(file: Path, duration_ms: int) -> list[str]:
    """The arguments for the sound of the whole video: as long as the picture, silent where the source has no sound.

    The source's first 21 ms are cut off, as long as the encoder's own delay: so picture and sound fit in every player,
    also in those that ignore an edit list.
    """
    whole = duration_ms / 1000
    graph = (
        f"aresample={AUDIO_RATE}:async=1000:first_pts=0,apad=whole_dur={whole:.3f},atrim=end={whole:.3f},"
        f"atrim=start_sample={AUDIO_PRIMING},asetpts=N/SR/TB"
    )
    return [
        *("-map", "0:a:0", *_NO_METADATA, "-af", graph),
        *("-c:a", "aac", "-aac_coder", "fast", "-b:a", f"{AUDIO_KBITS}k", "-ac", "2", "-ar", str(AUDIO_RATE)),
        *("-f", "mp4", "-use_editlist", "0", "-avoid_negative_ts", "make_zero"),
        *("-movflags", "empty_moov+default_base_moof+skip_trailer"),
        *("-frag_duration", str(KEY_SECONDS * 1_000_000), str(file)),
    ]


def _even(pixels: float, most: int) -> int:
    """The nearest even number, as the encoder needs it, but no larger than the source."""
    return max(2, min(round(pixels / 2) * 2, most // 2 * 2))
