"""Jobs in Flask: `init_app(app)`, once, where the application is made."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, request

from ephemera.jobs import webside

__all__ = ["init_app"]


def init_app(app: Flask, prefix: str = webside.DEFAULT_PREFIX) -> None:
    """Take the reports of jobs below `prefix`, and supervise jobs from the first request on.

    Args:
        prefix: Begins with a slash. The routes are for machines, which prove who they are; leave
            them out of logins and CSRF protection of your own.
    """
    blueprint = Blueprint("ephemera", __name__)
    path = f"{webside.REPORTS_PATH}/<store>/<attempt>"
    blueprint.add_url_rule(path, "report", _report, methods=["POST"])
    app.register_blueprint(blueprint, url_prefix=prefix)
    app.before_request(webside.supervise)
    webside.mounted(prefix)


def _report(store: str, attempt: str) -> Response:
    authorization = request.headers.get("Authorization", "")
    return Response(status=webside.take(store, attempt, authorization, request.stream.read))
