"""Jobs in Django: an application of the project, and its URLs.

```python
# settings.py
INSTALLED_APPS = [..., "ephemera.integrations.django"]

# urls.py
urlpatterns = [..., path("ephemera/", include("ephemera.integrations.django.urls"))]
```

Management commands, `migrate` for example, supervise no jobs: a process begins with its first
request.
"""
