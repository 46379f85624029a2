"""Why an upload is refused. The message tells the sender what happened, to what, and what to do next.

There is one class for each reason, so that the API can give each its own status and a program can tell them apart.
"""


class UploadRefused(Exception):
    """The file, or this piece of it, is not accepted; the message is for people."""

    retry_after: int | None = None  # seconds after which the same request may be accepted


class TooLarge(UploadRefused): ...


class NotAVideo(UploadRefused): ...


class NoSuchProduct(UploadRefused): ...


class BacklogFull(UploadRefused):
    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DiskFull(UploadRefused): ...


class Busy(UploadRefused):
    """As many pieces as are allowed at once are already coming in."""

    retry_after = 1


class InUse(UploadRefused):
    """Another request is writing to the same upload."""

    retry_after = 1


class WrongOffset(UploadRefused): ...


class TooSmallAPiece(UploadRefused): ...


class WrongChecksum(UploadRefused): ...


class Expired(UploadRefused):
    """Nothing came for too long, or the stored bytes are gone."""
