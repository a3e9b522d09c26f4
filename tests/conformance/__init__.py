"""The platform is held to the official document of the Machines API.

| Module | What it has |
|---|---|
| `document.py` | the document, and every operation in it |
| `amendments.py` | where Fly.io differs from its document, each with the reason |
| `plausible.py` | bodies that make sense, as examples for schemathesis |
| `world.py` | a platform with something of every kind on it, for requests to find |
| `fuzzing.py` | schemathesis, run against a platform |
| `hooks.py` | what schemathesis is told that the document cannot say |

`make conformance` runs all of it for longer.
"""
