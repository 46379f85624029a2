"""Collects static files only when one of them has changed: collecting takes seconds, and to look takes none."""

import fcntl
import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = ".collected"  # within STATIC_ROOT: what was collected there, as a digest of names, sizes and times
_LOCK = ".collecting"  # beside it; held by whoever collects
_LEFT_OUT = ["drf_spectacular_sidecar/redoc/*"]  # none of our pages shows it


def collect_if_changed() -> bool:
    """Run collectstatic unless the stamp says that nothing has changed; returns whether it ran.

    Of two at once into one folder the second waits, and finds it done.
    """
    folder = Path(settings.STATIC_ROOT)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = folder / STAMP
    with (folder / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = _digest()
        if stamp.exists() and stamp.read_text() == now:
            return False
        # Taken away first and written last: whoever is interrupted in between collects again.
        stamp.unlink(missing_ok=True)
        call_command("collectstatic", interactive=False, verbosity=0, ignore_patterns=_LEFT_OUT)
        stamp.write_text(now)
        return True


def _digest() -> str:
    """Of every file that would be collected, and of the storage that decides what is made of them."""
    digest = hashlib.sha256(settings.STORAGES["staticfiles"]["BACKEND"].encode())
    for finder in get_finders():
        for path, storage in finder.list(None):
            file = Path(storage.path(path))
            found = file.stat()
            digest.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
