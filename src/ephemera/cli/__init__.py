"""The command `ephemera`: one file per group of commands, put together in `main`.

Modules here import at their top only what costs nothing, so that `ephemera --help` and the
completion of a shell answer at once; what a command works with is imported when it runs.
"""
