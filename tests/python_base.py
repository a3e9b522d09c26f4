"""A base image with a Python: the one that runs here, with busybox, laid out as Docker Hub's are.

```python
base = registry.push("python", python_base())     # /usr/local/bin/python3, PYTHON_VERSION in Env
```

Of the standard library it has what `http.server` and starting a script need, which is a tenth.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.images import Built, Entry, Layer, busybox, file, layer, symlink

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Tells where each module of the standard library is that is loaded in the end.
_LOADED = """
import encodings.ascii, encodings.idna, encodings.latin_1, http.server
import importlib.util, re, runpy, site, sys, zipimport
for module in list(sys.modules.values()):
    print(getattr(module, "__file__", None) or "")
"""
_LINKED = re.compile(r"(/\S+\.so\S*) \(0x")


def python_base() -> Built:
    """Return the image, for this computer."""
    env = ["PATH=/usr/local/bin:/usr/bin:/bin", f"PYTHON_VERSION={platform.python_version()}"]
    return busybox(_python(), env=env, cmd=["python3"])


@cache
def _python() -> Layer:
    program = Path(sys.base_prefix, "bin", f"python{VERSION}").resolve()
    modules = list(_modules())
    shared = [path for path in modules if path.suffix == ".so"]
    stdlib = Path(sys.base_prefix, "lib", f"python{VERSION}")
    inner = f"usr/local/lib/python{VERSION}"
    return layer(
        file(f"usr/local/bin/python{VERSION}", program.read_bytes(), mode=0o755),
        symlink("usr/local/bin/python3", f"python{VERSION}"),
        *(file(f"{inner}/{path.relative_to(stdlib)}", path.read_bytes()) for path in modules),
        *libraries(program, *shared),
    )


def _modules() -> Iterator[Path]:
    """Yield the files of the modules, in the order of their names."""
    command = [sys.executable, "-I", "-c", _LOADED]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    stdlib = Path(sys.base_prefix, "lib", f"python{VERSION}")
    found = {Path(line).resolve() for line in said.splitlines() if line}
    yield from sorted(
        path for path in found if path.is_relative_to(stdlib) and "site-packages" not in path.parts
    )


def libraries(*programs: Path) -> Iterator[Entry]:
    """Yield the shared libraries of the system that programs need, in their places."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    for name in sorted(set(_LINKED.findall(said))):
        yield file(name.lstrip("/"), Path(name).read_bytes(), mode=0o755)
