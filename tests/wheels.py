"""Small wheels for tests, so that dependencies are installed without a network.

```python
wheel(folder, "greeting", {"greeting.py": "WORD = 'hello'"}, scripts={"greet": "greeting:main"})
requirements = f"--no-index\n--find-links {folder}\ngreeting==1.0\n"
```
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path


def wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str],
    *,
    version: str = "1.0",
    tag: str = "py3-none-any",
    scripts: Mapping[str, str] | None = None,
) -> str:
    """Write a wheel, and return its hash as lock files have it, `sha256:...`."""
    about = f"{name}-{version}.dist-info"
    entry_points = "".join(f"{key} = {value}\n" for key, value in (scripts or {}).items())
    content = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{about}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n",
        f"{about}/entry_points.txt": f"[console_scripts]\n{entry_points}",
    }
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in content.items():
            archive.writestr(file, text)
        archive.writestr(f"{about}/RECORD", "".join(f"{file},,\n" for file in content))
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
