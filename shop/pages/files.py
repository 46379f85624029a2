"""Handing out files behind signed links (shop.downloads).

Where nginx is in front, it says so with each request, gets the file's name instead of its content and sends it by
itself; a worker's thread is free after a millisecond, however slow the reader. Without nginx the file is read in
pieces. Who only claims to be nginx gets an answer without content.
"""

from urllib.parse import quote

from django.core import signing
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from orders import files
from shop import downloads

# The location of deploy/nginx.conf.template that only answers of ours lead to.
_INTERNAL = "/_files/"


@never_cache
@require_safe
def hand_out(request: HttpRequest, sealed: str, **_filename: str) -> HttpResponseBase:
    """The filename in the address is for people who look at it; what is sent, and its name, stand in the seal."""
    try:
        found = downloads.open_link(sealed)
    except downloads.Expired as expired:
        return render(request, "shop/errors/410.html", {"download": expired.download}, status=410)
    except signing.BadSignature:
        raise Http404("We made no such link.") from None
    path = files.path_of(found.name)
    if not path.is_file():
        return render(request, "shop/errors/410.html", {"download": found, "gone": True}, status=410)
    response: HttpResponseBase
    if request.headers.get("X-Sendfile-Type") == "X-Accel-Redirect":
        response = HttpResponse(headers={"X-Accel-Redirect": _INTERNAL + quote(found.name)})
        response.headers["Content-Disposition"] = f'inline; filename="{found.filename}"'
    else:
        response = FileResponse(path.open("rb"), filename=found.filename)
    response.headers["Content-Type"] = found.content_type
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response
