"""Why an upload is refused, in words for whoever sends it: what happened, to what, and what to do next.

One class a reason, so that the API can give each its status (shop.api.uploads) and a program can tell them apart.
"""


class UploadRefused(Exception):
    """The file, or this piece of it, is not taken; the message is for people."""

    retry_after: int | None = None  # seconds after which the same request may be taken


class TooLarge(UploadRefused):
    pass


class NotAVideo(UploadRefused):
    pass


class NoSuchProduct(UploadRefused):
    pass


class BacklogFull(UploadRefused):
    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DiskFull(UploadRefused):
    pass


class Busy(UploadRefused):
    """As many pieces of other uploads come in at this moment as may at once."""

    retry_after = 1


class InUse(UploadRefused):
    """Another request writes to the same upload."""

    retry_after = 1


class WrongOffset(UploadRefused):
    pass


class TooSmallAPiece(UploadRefused):
    pass


class WrongChecksum(UploadRefused):
    pass


class Expired(UploadRefused):
    """Nobody went on with it in time, or what was kept of it is gone."""
