"""Machines: who may move one, what happens to it, and what it does unasked."""
