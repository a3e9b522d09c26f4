"""Glue between the job layer and web frameworks: routes that take the reports of jobs.

```python
from ephemera.integrations.flask import init_app     # or .fastapi; Django: see its package

init_app(app)
```

Each does the same two things: machines report to the application's own address, which wakes it
where it was stopped as idle; and the process supervises jobs from its first request on.
"""
