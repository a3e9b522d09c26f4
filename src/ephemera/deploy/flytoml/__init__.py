"""`fly.toml`: what an app is made of, in the file format of Fly.io.

```
text ──reading──► tables ──sections, model──► FlyToml ──machines──► the config of a machine
          └ lines: where a key is ┘ problems: all that is wrong, by file, line and key
```

Source of the keys: Fly.io's reference of the file, and what its own client takes.
"""

from ephemera.deploy.finding import DEFAULT_NAME, find
from ephemera.deploy.flytoml.model import FlyToml
from ephemera.deploy.flytoml.reading import load, parse

__all__ = ["DEFAULT_NAME", "FlyToml", "find", "load", "parse"]
