"""What a project is, read from its files. Its code is parsed, never imported or run.

```
                 ┌ packages: which manager, which packages
folder ─► scan ──┼ python: which version
                 ├ frameworks ─► applications: the object that is served    ─► Project
                 └ databases, django: what it keeps, and what a release does
```
"""

from ephemera.deploy.scan.project import Project
from ephemera.deploy.scan.scanning import scan

__all__ = ["Project", "scan"]
