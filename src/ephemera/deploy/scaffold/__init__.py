"""New applications: small, whole, with their tests, ready to be launched."""

from ephemera.deploy.scaffold.creating import FRAMEWORKS, create

__all__ = ["FRAMEWORKS", "create"]
