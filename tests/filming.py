"""Makes the videos that tests need, as anybody's camera might have: small, short, and odd in the ways that they are."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
from django.conf import settings

from shop.catalogue.models import Category, Product
from shop.videos.models import Video
from workers.media.ffmpeg import binary


def clip(
    file: Path,
    seconds: float = 3,
    *,
    size: str = "128x96",
    rate: str = "25",
    sound: bool = True,
    picture: Sequence[str] = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25"),
    more: Sequence[str] = (),
) -> Path:
    """A test picture with a tone."""
    tone = ("-f", "lavfi", "-i", f"sine=f=440:r=44100:d={seconds}") if sound else ()
    source = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}")
    return film([*source, *tone, *picture, *(("-c:a", "aac") if sound else ()), *more], file)


def film(arguments: Sequence[str], file: Path) -> Path:
    """What ffmpeg makes of these arguments."""
    command = [binary(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments, str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return file


def product() -> Product:
    category, _ = Category.objects.get_or_create(name="Kettles", slug="kettles")
    number = Product.objects.count() + 1
    return Product.objects.create(
        sku=f"KETTLE-{number}", name="A kettle", category=category, price_minor=1_000, currency="GBP"
    )


def uploaded(file: Path | bytes, of: Product | None = None, *, name: str = "film.mp4") -> Video:
    """A video that has just come in."""
    content = file if isinstance(file, bytes) else file.read_bytes()
    video = Video(product=of or product(), filename=name, size=len(content), by="ada")
    video.source = f"videos/{video.token}/source"
    place = Path(settings.MEDIA_ROOT, video.source)
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    video.save()
    return video


def frames(file: Path) -> list[float]:
    """When each frame is shown, in seconds, that there are in the file."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        return [frame.time for frame in container.decode(stream) if frame.time is not None]


def facts(file: Path) -> dict[str, Any]:
    """Sizes and seconds, as ffmpeg's library reads them."""
    with av.open(str(file)) as container:
        picture = container.streams.video[0]
        return {
            "width": picture.codec_context.width,
            "height": picture.codec_context.height,
            "seconds": (container.duration or 0) / av.time_base,
            "sounds": len(container.streams.audio),
        }
