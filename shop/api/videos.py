"""Videos over the API, for staff: how far one is, and the two things that can be done about it."""

from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from shop.api import problems, schema, uploadproblems, uploadschema
from shop.api.base import json
from shop.api.uploads import StaffView
from shop.api.videoserializers import VideoSerializer
from shop.videos import actions
from shop.videos.models import Video

_PRIVATE = {"Cache-Control": "no-store"}


class VideoView(StaffView):
    @extend_schema(
        operation_id="retrieve_video",
        summary="Follow a video",
        description="From the upload to the product's page. Every two seconds is often enough to ask.",
        tags=["videos"],
        parameters=[uploadschema.TOKEN],
        responses={
            200: schema.response(VideoSerializer, "The video as it stands."),
            **schema.problems(401, 403, 404, 406, 500, 503),
        },
    )
    def get(self, _request: Request, token: UUID) -> HttpResponse:
        return _told(_find(token))


class CancelVideoView(StaffView):
    @extend_schema(
        operation_id="cancel_video",
        summary="Give up a video that is being made",
        description="Its files are thrown away. What is published stays. A body is not needed and not read.",
        tags=["videos"],
        parameters=[uploadschema.TOKEN],
        request=None,
        responses={
            200: schema.response(VideoSerializer, "The video is cancelled."),
            **schema.problems(401, 403, 404, 406, 409, 500, 503),
        },
    )
    def post(self, request: Request, token: UUID) -> HttpResponse:
        video = _find(token)
        if not actions.cancel(video, request.user.get_username()):
            raise _not_now(video, "be cancelled: it is not being made")
        return _told(_find(token))


class RetryVideoView(StaffView):
    @extend_schema(
        operation_id="retry_video",
        summary="Have a video tried again",
        description="One that failed or was cancelled, as long as its file is kept. A body is not read.",
        tags=["videos"],
        parameters=[uploadschema.TOKEN],
        request=None,
        responses={
            200: schema.response(VideoSerializer, "The video is due again."),
            **schema.problems(401, 403, 404, 406, 409, 500, 503),
        },
    )
    def post(self, request: Request, token: UUID) -> HttpResponse:
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
    return json(VideoSerializer(video).data, headers=_PRIVATE)


def _not_now(video: Video, what: str) -> problems.Problem:
    stands = video.get_state_display().lower()
    return problems.Problem(uploadproblems.NOT_NOW, f"The video is “{stands}” and cannot {what}.")
