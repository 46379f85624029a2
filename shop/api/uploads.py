"""Uploads of videos over the API: tus 1.0.0 with creation, expiration, termination and checksum.

Staff only: a browser with its session and the CSRF token, a program with the token of a user (`Authorization: Token`).
Whether a request is refused is known from its headers, before its body is read; of a file only the first bytes are
looked at. The body goes from the socket to where it is kept, a block at a time (shop.videos.uploads).

Our own small server rather than a package: drf-tus reads each piece into memory as a whole, writes without a lock and
without fsync, and needs two packages that nobody maintains; tuspyserver is for FastAPI and keeps its state in files
beside the upload, where we keep it in a row.
"""

from io import BytesIO
from typing import Any
from uuid import UUID

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.http import http_date
from drf_spectacular.types import OpenApiTypes
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from shop.api import problems, schema, tus, uploadproblems, uploadschema
from shop.api.base import PRIVATE, ApiView, json
from shop.api.serializers import UploadSerializer
from shop.api.tokens import DigestAuthentication
from shop.videos import uploads
from shop.videos.models import Upload, Video
from shop.videos.refusals import UploadRefused
from shop.videos.uploads import Piece

_OVERRIDE = "HTTP_X_HTTP_METHOD_OVERRIDE"


class MayUpload(BasePermission):
    """Staff who may add videos."""

    message = "Only staff who may add videos can do this."

    def has_permission(self, request: Request, *_view: Any) -> bool:
        user = request.user
        return bool(user and user.is_staff and user.has_perm("videos.add_video"))


class StaffView(ApiView):
    """A view for staff; the rest of the API is for guests and asks nobody who they are."""

    # The first one says how to sign in when nobody has: 401 and not 403.
    authentication_classes = [DigestAuthentication, SessionAuthentication]
    permission_classes = [MayUpload]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method != "OPTIONS":
            self.perform_authentication(request)
            self.check_permissions(request)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, UploadRefused):
            exc = uploadproblems.of(exc)
        elif isinstance(exc, (BotoCoreError, ClientError)):
            exc = problems.Problem(
                uploadproblems.STORAGE_AWAY,
                "The file storage does not answer. What had arrived is kept; go on in a moment.",
                headers={"Retry-After": "5"},
            )
        return super().handle_exception(exc)


class TusView(StaffView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if override := request.META.get(_OVERRIDE):  # for clients whose environment knows GET and POST alone
            request.method = override.upper()
        answer = super().dispatch(request, *args, **kwargs)
        answer["Tus-Resumable"] = tus.VERSION
        return answer

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("OPTIONS", "GET"):
            return
        if request.META.get("HTTP_TUS_RESUMABLE") != tus.VERSION:
            raise problems.Problem(
                uploadproblems.PROTOCOL,
                f"The header Tus-Resumable has to be {tus.VERSION}.",
                headers={"Tus-Version": tus.VERSION},
            )

    def options(self, *_args: Any, **_kwargs: Any) -> Any:
        answer = HttpResponse(status=204)
        answer["Tus-Version"] = tus.VERSION
        answer["Tus-Extension"] = tus.EXTENSIONS
        answer["Tus-Max-Size"] = str(settings.VIDEO_MAX_BYTES)
        answer["Tus-Checksum-Algorithm"] = ",".join(uploads.CHECKSUMS)
        return answer


class UploadsView(TusView):
    @schema.operation(
        "videos",
        "announce_upload",
        "Announce a video for a product",
        schema.response(None, "There is room for it: send it to `Location`, from its beginning."),
        status=201,
        problems=[412, 413, 415, 507],
        description=uploadschema.ANNOUNCING,
        parameters=uploadschema.TO_ANNOUNCE,
        request=None,
    )
    def post(self, request: Request) -> HttpResponse:
        size = tus.number(request.META, "Upload-Length", "the size of the file")
        announced = tus.announcement(request.META.get("HTTP_UPLOAD_METADATA", ""), size)
        upload = uploads.announce(announced, by=request.user.get_username())
        # Without a host: it is the one that was asked, by whichever name.
        address = reverse("api_upload", args=[upload.token])
        return HttpResponse(status=201, headers={"Location": address, **_how_far(upload)})


class UploadView(TusView):
    @schema.operation(
        "videos",
        "retrieve_upload",
        "Look how far an upload is",
        schema.response(UploadSerializer, "The upload as it is now."),
        problems=[404, 410],
        conditional=True,
        parameters=[uploadschema.TOKEN],
    )
    def get(self, _request: Request, token: UUID) -> HttpResponse:
        """
        For people and programs; a client of tus asks with `HEAD`, which answers in headers (`Upload-Offset`,
        `Upload-Length`, `Upload-Expires`).
        """
        upload = _unfinished(token)
        found = upload or _video(token)
        told = {
            "filename": found.filename,
            "size": found.size,
            "offset": upload.offset if upload else found.size,
            "expires_at": upload.expires_at.isoformat() if upload else None,
            "video": None if upload else settings.SHOP_URL + reverse("api_video", args=[token]),
        }
        return json(told, headers=PRIVATE)

    def head(self, _request: Request, token: UUID) -> HttpResponse:
        """Where to go on. A sender who never heard that the last piece had arrived learns it here."""
        if upload := _unfinished(token):
            known = {"Upload-Length": str(upload.size), "Upload-Metadata": upload.metadata}
            return HttpResponse(headers={**_how_far(upload), **known})
        size = str(_video(token).size)
        return HttpResponse(headers={**PRIVATE, "Upload-Offset": size, "Upload-Length": size})

    @schema.operation(
        "videos",
        "send_upload",
        "Send the next piece",
        schema.response(None, "The piece has arrived and is safe."),
        status=204,
        problems=[404, 409, 410, 412, 413, 415, 423, 460, 507],
        description=uploadschema.SENDING,
        parameters=uploadschema.TO_SEND,
        request={tus.CONTENT_TYPE: OpenApiTypes.BINARY},
    )
    def patch(self, request: Request, token: UUID) -> HttpResponse:
        if request.META.get("CONTENT_TYPE") != tus.CONTENT_TYPE:
            raise problems.Problem(
                uploadproblems.WRONG_TYPE, f"The header Content-Type has to be {tus.CONTENT_TYPE}."
            )
        if compressed := problems.compressed(request.META):
            raise compressed
        offset = tus.number(request.META, "Upload-Offset", "where this piece begins")
        named = tus.checksum(request.META.get("HTTP_UPLOAD_CHECKSUM", ""))
        body = _Body(request._request)
        try:
            upload = uploads.append(token, Piece(offset, body.read, named))
        except Upload.DoesNotExist:
            raise _unknown() from None
        except (OperationalError, InterfaceError) as error:
            if not body.begun:
                raise  # the request may be run once more (shop.api.base)
            return problems.unavailable(request._request, error)
        finally:
            if body.begun:
                body.free()
        return HttpResponse(status=204, headers=_how_far(upload))

    @schema.operation(
        "videos",
        "discard_upload",
        "Take an upload back",
        schema.response(None, "Nothing is kept of it."),
        status=204,
        problems=[404, 412],
        parameters=[uploadschema.TOKEN, uploadschema.RESUMABLE],
    )
    def delete(self, _request: Request, token: UUID) -> HttpResponse:
        """Throws away what has arrived of it. What is complete is a video already: cancel that."""
        if not uploads.discard(token):
            raise _unknown()
        return HttpResponse(status=204)


class _Body:
    """A request's body as it comes in, and whether any of it was read: if so, the request cannot be run again."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.begun = False

    def read(self, size: int) -> bytes:
        self.begun = True
        return self._request.read(size)

    def free(self) -> None:
        """Free the server's buffers now. A request, its user and its view refer to each other, so it stays in memory
        until the garbage collector runs, which is seldom (shop.collector): a megabyte for each piece until then."""
        self._request.META.pop("wsgi.input", None)
        vars(self._request)["_stream"] = BytesIO()


def _unfinished(token: UUID) -> Upload | None:
    """The upload; one that is complete, because a process died before it became a video, becomes one now."""
    upload = Upload.objects.filter(token=token).first()
    if upload is None or not uploads.is_complete(upload):
        return upload
    uploads.finalise(upload)
    return None


def _video(token: UUID) -> Video:
    try:
        return Video.objects.get(token=token)
    except Video.DoesNotExist:
        raise _unknown() from None


def _unknown() -> Http404:
    return Http404("There is no such upload; it may have been discarded, or thrown away after three days.")


def _how_far(upload: Upload) -> dict[str, str]:
    return {
        **PRIVATE,
        "Upload-Offset": str(upload.offset),
        "Upload-Expires": http_date(upload.expires_at.timestamp()),
    }
