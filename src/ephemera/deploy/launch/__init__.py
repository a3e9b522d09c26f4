"""Getting a project ready to be deployed: its files, and its app.

```
folder ──scan──► Project ─┐
options ──────► Wishes ───┼─planning──► Plan ──► shown as differences
files that are there ─────┘               └────► launching: the app is made, the files are written
```

A file as this wrote it may be written anew; one that somebody edited is theirs: see `signing`.
"""

from ephemera.deploy.launch.launching import launch, launch_with_defaults
from ephemera.deploy.launch.plan import Plan, PlannedFile, State
from ephemera.deploy.launch.planning import plan
from ephemera.deploy.launch.signing import is_own
from ephemera.deploy.launch.wishes import BUILDERS, Wishes

__all__ = [
    "BUILDERS",
    "Plan",
    "PlannedFile",
    "State",
    "Wishes",
    "is_own",
    "launch",
    "launch_with_defaults",
    "plan",
]
