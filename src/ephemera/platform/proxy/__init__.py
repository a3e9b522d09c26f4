"""The platform's proxy: it brings requests from outside to the machines of apps.

Begin with `routing.py`, which says what its two halves agree on.
"""
