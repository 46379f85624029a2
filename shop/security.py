"""The Content-Security-Policy of each part of the site.

The shop's pages obey the strict policy of the settings: nothing inline, nothing from elsewhere. Two parts
that we do not write ourselves cannot: the admin (Unfold runs Alpine, which evaluates expressions, and puts
styles into tags) and the API's documentation (Swagger UI, started by a script within the page). They get what
they need and no more, and only under their own paths, so that their weakness never reaches a shopper's page.
"""

from dataclasses import replace

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest, HttpResponseBase

_RELAXED: dict[str, dict[str, list[str]]] = {
    "/admin/": {
        "script-src": [SELF, UNSAFE_INLINE, UNSAFE_EVAL],
        "style-src": [SELF, UNSAFE_INLINE],
    },
    "/api/docs/": {
        "script-src": [SELF, UNSAFE_INLINE],
        "style-src": [SELF, UNSAFE_INLINE],
    },
}


class ContentSecurityPolicyMiddleware(CSPMiddleware):
    """django-csp's middleware with a policy by path; a view's own decorators still win."""

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        parts = super().get_policy_parts(request, response, report_only)
        if report_only or parts.replace is not None:
            return parts
        for prefix, directives in _RELAXED.items():
            if request.path_info.startswith(prefix):
                return replace(parts, replace=directives)
        return parts
