"""The command `ephemera`: one file per group of commands, put together in `main`.

A module is imported when one of its commands is called, or all are listed (`loading`). At their top
they import only what costs nothing, so that `ephemera --help` and the completion of a shell answer
at once; what a command works with is imported when it runs.
"""
