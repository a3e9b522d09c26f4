"""Ephemera gives every background job of a Python web application its own machine."""

__version__ = "0.1.0"
