"""What staff may do to a video: have it given up, and have it tried again. Each is one conditional statement."""

from django.utils import timezone

from shop.videos.models import Video

State = Video.State


def cancel(video: Video, by: str) -> bool:
    """Give up a video that is under way; False when it is not any more. It stays due, so that its files are cleared."""
    now = timezone.now()
    changed = Video.objects.filter(pk=video.pk, state__in=Video.UNDER_WAY).update(
        state=State.CANCELLED, problem=f"Cancelled by {by}.", ended_at=now, due_at=now, drives=0, holder=None
    )
    return changed == 1


def retry(video: Video, by: str) -> bool:  # noqa: ARG001 - who did it is for the log of the desk
    """Have a failed or cancelled video tried again, as long as its source is kept; False when nothing was to do."""
    changed = (
        Video.objects.filter(pk=video.pk, state__in=(State.FAILED, State.CANCELLED))
        .exclude(source="")
        .update(state=State.WAITING, problem="", ended_at=None, due_at=timezone.now(), drives=0, holder=None)
    )
    return changed == 1
