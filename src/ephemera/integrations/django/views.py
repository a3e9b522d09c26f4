"""Takes the reports of jobs. Machines prove who they are by a token, so no cookie is asked for."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from ephemera.jobs import webside


@csrf_exempt
@require_POST
def report(request: HttpRequest, store: str, attempt: str) -> HttpResponse:
    """Take one report."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    status = webside.has_body_to_read(store, attempt, headers)
    if status is None:
        body = request.read(webside.REPORT_MAX_BYTES + 1)
        whole = body if len(body) <= webside.REPORT_MAX_BYTES else None
        status = webside.take(store, attempt, headers, whole)
    return HttpResponse(status=status)
