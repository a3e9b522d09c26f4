"""Clients that other people wrote, unchanged, against the embedded platform."""
