"""A base image with a Python: the one that runs here, with busybox, laid out as Docker Hub's are.

```python
base = registry.push("python", python_base())     # /usr/local/bin/python3, PYTHON_VERSION in Env
```
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.images import Built, Entry, Layer, busybox, file, layer, symlink

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Of the standard library, what no test needs.
_LEFT_OUT = re.compile(
    r"/(__pycache__|site-packages|dist-packages|test|tests|idlelib|tkinter|lib2to3|ensurepip"
    r"|config-[^/]*|turtledemo|pydoc_data)(/|$)"
)
_LINKED = re.compile(r"(/\S+\.so\S*) \(0x")


def python_base() -> Built:
    """Return the image, for this computer."""
    env = ["PATH=/usr/local/bin:/usr/bin:/bin", f"PYTHON_VERSION={platform.python_version()}"]
    return busybox(_python(), env=env, cmd=["python3"])


@cache
def _python() -> Layer:
    program = Path(sys.base_prefix, "bin", f"python{VERSION}").resolve()
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix}))
    modules = [path for path in sorted(stdlib.rglob("*")) if not _LEFT_OUT.search(str(path))]
    inner = f"usr/local/lib/python{VERSION}"
    shared = [path for path in modules if path.suffix == ".so"]
    return layer(
        file(f"usr/local/bin/python{VERSION}", program.read_bytes(), mode=0o755),
        symlink("usr/local/bin/python3", f"python{VERSION}"),
        *(
            file(f"{inner}/{path.relative_to(stdlib)}", path.read_bytes())
            for path in modules
            if path.is_file()
        ),
        *_libraries(program, *shared),
    )


def _libraries(*programs: Path) -> Iterator[Entry]:
    """Yield the shared libraries that programs need, in their places."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    for name in sorted(set(_LINKED.findall(said))):
        yield file(name.lstrip("/"), Path(name).read_bytes(), mode=0o755)
