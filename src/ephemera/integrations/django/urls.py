"""The URLs to include: where machines report to."""

from __future__ import annotations

from django.urls import path

from ephemera.integrations.django.views import report

app_name = "ephemera"

urlpatterns = [path("reports/<str:store>/<str:attempt>", report, name="report")]
