"""The same small application in each framework, and a client that asks it without a server."""

from __future__ import annotations

from typing import Any, Protocol

import httpx2
from django.conf import settings as django_settings
from django.core.handlers.wsgi import WSGIHandler
from django.urls import include, path
from fastapi import FastAPI
from flask import Flask
from starlette.testclient import TestClient

from ephemera.integrations import fastapi, flask

#: What Django calls a module of URLs may be any object with this attribute.
urlpatterns = [path("jobs/", include("ephemera.integrations.django.urls"))]


class Client(Protocol):
    def post(self, path: str, content: bytes, headers: dict[str, str]) -> int:
        """Return the status of the answer."""
        ...


class _Wsgi:
    def __init__(self, app: Any) -> None:
        transport = httpx2.WSGITransport(app=app)
        self._http = httpx2.Client(transport=transport, base_url="http://testserver")

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> int:
        return self._http.post(path, content=content, headers=headers).status_code


class _Asgi:
    def __init__(self, app: Any) -> None:
        self._http = TestClient(app)
        self._http.__enter__()

    def post(self, path: str, content: bytes, headers: dict[str, str]) -> int:
        return self._http.post(path, content=content, headers=headers).status_code


def in_flask() -> Client:
    app = Flask("shop")
    flask.init_app(app, prefix="/jobs")
    return _Wsgi(app)


def in_fastapi() -> Client:
    app = FastAPI()
    fastapi.init_app(app, prefix="/jobs")
    return _Asgi(app)


def in_django() -> Client:
    if not django_settings.configured:
        django_settings.configure(
            SECRET_KEY="only for tests",
            ALLOWED_HOSTS=["testserver"],
            ROOT_URLCONF=__name__,
            INSTALLED_APPS=["ephemera.integrations.django"],
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        )
    import django
    from django.apps import apps

    django.setup()
    apps.get_app_config("ephemera").ready()
    return _Wsgi(WSGIHandler())


MAKERS = {"flask": in_flask, "fastapi": in_fastapi, "django": in_django}
