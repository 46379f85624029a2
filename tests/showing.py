"""Product videos as they stand when they are published: their rows, and if a test wants to play one, its files.

The pipeline makes the real ones (workers.media). These are of the same shape, small, and made by one ffmpeg.
"""

import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from django.utils.timezone import now

from shop.catalogue.models import Product
from shop.videos.models import Video

SECONDS = 12
SIZES = ((640, 360), (320, 180))
_SHEET = (3, 2)  # thumbnails, one each two seconds
_SMALL = (160, 90)
_STREAMS = "v:0,agroup:sound,name:360p v:1,agroup:sound,name:180p a:0,agroup:sound,default:yes,name:sound"


def publish_video(product: Product, **fields: Any) -> Video:
    """The row of a published video of this product; without files."""
    told = {"duration_ms": SECONDS * 1000, "width": 640, "height": 360, "has_audio": True, "due_at": None}
    return Video.objects.create(
        product=product,
        filename="film.mp4",
        size=1,
        by="admin",
        state=Video.State.PUBLISHED,
        published_at=now(),
        **{**told, **fields},
    )


def write_published(folder: Path) -> None:
    """The files of a published video: HLS in two sizes with a sound of its own, MP4, poster, thumbnails."""
    folder.mkdir(parents=True)
    (width, height), (less_width, less_height) = SIZES
    columns, rows = _SHEET
    picture = f"testsrc2=size={width}x{height}:rate=25:duration={SECONDS}"
    sound = f"sine=frequency=330:duration={SECONDS}"
    small = f"fps={columns * rows}/{SECONDS},scale={_SMALL[0]}:{_SMALL[1]},tile={columns}x{rows}"
    cut = (
        f"[0:v]split=5[one][two][mp4][still][few];[two]scale={less_width}:{less_height}[less];"
        f"[still]trim=start=5,setpts=PTS-STARTPTS[poster];[few]{small}[sheet];[1:a]asplit=2[alone][within]"
    )
    encoded = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 50 -keyint_min 50 -sc_threshold 0 -c:a aac"
    subprocess.run(
        [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-threads", "1"),
            *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-filter_complex", cut),
            *("-map", "[one]", "-map", "[less]", "-map", "[alone]", *encoded.split()),
            *("-b:v:0", "600k", "-b:v:1", "200k", "-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod"),
            *("-hls_segment_type", "fmp4", "-hls_flags", "single_file+independent_segments"),
            *("-master_pl_name", "master.m3u8", "-var_stream_map", _STREAMS),
            *("-hls_segment_filename", f"{folder}/%v.m4s", f"{folder}/%v.m3u8"),
            *("-map", "[mp4]", "-map", "[within]", *encoded.split(), "-movflags", "+faststart"),
            f"{folder}/fallback.mp4",
            *("-map", "[poster]", "-frames:v", "1", "-update", "1", f"{folder}/poster.jpg"),
            *("-map", "[sheet]", "-frames:v", "1", "-update", "1", f"{folder}/thumbnails-1.jpg"),
        ],
        check=True,
        timeout=60,
    )
    each = SECONDS // (columns * rows)
    cues = [
        f"00:{number * each:02}.000 --> 00:{(number + 1) * each:02}.000\n"
        f"thumbnails-1.jpg#xywh={number % columns * _SMALL[0]},{number // columns * _SMALL[1]},160,90"
        for number in range(columns * rows)
    ]
    (folder / "thumbnails.vtt").write_text("\n\n".join(["WEBVTT", *cues, ""]))
