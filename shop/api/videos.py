"""Videos over the API, for staff: how far one is, and the two things that can be done about it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from rest_framework.request import Request

from shop.api import problems, schema, uploadproblems, uploadschema
from shop.api.base import PRIVATE, json
from shop.api.serializers import VideoSerializer
from shop.api.uploads import StaffView
from shop.videos import actions
from shop.videos.models import Video


class VideoView(StaffView):
    @schema.operation(
        "videos",
        "retrieve_video",
        "Follow a video",
        schema.response(VideoSerializer, "The video as it is now."),
        problems=[404],
        conditional=True,
        parameters=[uploadschema.TOKEN],
    )
    def get(self, _request: Request, token: UUID) -> HttpResponse:
        """From the upload to the product's page. Every two seconds is often enough to ask."""
        return _told(_find(token))


class CancelVideoView(StaffView):
    @schema.operation(
        "videos",
        "cancel_video",
        "Give up a video that is being made",
        schema.response(VideoSerializer, "The video is cancelled."),
        problems=[404, 409],
        parameters=[uploadschema.TOKEN],
        request=None,
    )
    def post(self, request: Request, token: UUID) -> HttpResponse:
        """Its files are thrown away. What is published stays. A body is not needed and not read."""
        video = _find(token)
        if not actions.cancel(video, request.user.get_username()):
            raise _not_now(video, "be cancelled: it is not being made")
        return _told(_find(token))


class RetryVideoView(StaffView):
    @schema.operation(
        "videos",
        "retry_video",
        "Have a video tried again",
        schema.response(VideoSerializer, "The video is due again."),
        problems=[404, 409],
        parameters=[uploadschema.TOKEN],
        request=None,
    )
    def post(self, request: Request, token: UUID) -> HttpResponse:
        """One that failed or was cancelled, as long as its file is kept. A body is not read."""
        video = _find(token)
        if not actions.retry(video, request.user.get_username()):
            raise _not_now(video, "be tried again: it neither failed nor was cancelled, or its file is gone")
        return _told(_find(token))


def _find(token: UUID) -> Video:
    try:
        return Video.objects.select_related("product").get(token=token)
    except Video.DoesNotExist:
        raise Http404("There is no such video.") from None


def _told(video: Video) -> HttpResponse:
    return json(VideoSerializer(video).data, headers=PRIVATE)


def _not_now(video: Video, what: str) -> problems.Problem:
    state = video.get_state_display().lower()
    return problems.Problem(uploadproblems.NOT_NOW, f"The video is “{state}” and cannot {what}.")
