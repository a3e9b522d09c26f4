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
    authorization = request.headers.get("Authorization", "")
    return HttpResponse(status=webside.take(store, attempt, authorization, request.read))
