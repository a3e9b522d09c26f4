"""The `ephemera` command."""
