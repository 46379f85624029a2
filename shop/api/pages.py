"""What the API shows to those who look around in it: its documentation, its kinds of problems, and its edges."""

import http.client

from django.http import HttpRequest, HttpResponse
from django.urls import resolve
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.views import SpectacularSwaggerSplitView

from shop.api import problems, uploadproblems

KINDS = problems.KINDS | uploadproblems.KINDS


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own host. Its start script is a request of its own, so that the page needs nothing
    inline and obeys the same strict policy as the shop's pages."""

    template_name = "api/docs.html"


@csrf_exempt  # it changes nothing, and a refusal is a problem too
def problem(request: HttpRequest, slug: str) -> HttpResponse:
    """The page that the `type` of a problem leads to."""
    if request.method not in ("GET", "HEAD"):
        return problems.response(request, 405, "This takes GET alone.", headers={"Allow": "GET, HEAD"})
    if (kind := KINDS.get(slug)) is None:
        return problems.response(request, 404, f"There is no problem of this name: {slug}.")
    phrase = f"{kind.status} {http.client.responses.get(kind.status, '')}".strip()
    text = f"{kind.title} ({phrase})\n\n{kind.remedy}\n"
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@csrf_exempt
def nowhere(request: HttpRequest) -> HttpResponse:
    """Every other path under /api/: on to the one with a slash at its end if that exists, else a problem."""
    if not request.path_info.endswith("/") and resolve(f"{request.path_info}/").func is not nowhere:
        # 308 and not 301: a POST stays a POST, with its body.
        target = request.get_full_path(force_append_slash=True)
        return HttpResponse(status=308, headers={"Location": target})
    return problems.response(request, 404, f"There is nothing at {request.path}.")
