"""The headings under which `ephemera --help` lists the commands, in this order."""

from __future__ import annotations

START = "Start"
APP = "An app"
MACHINES = "Machines"
JOBS = "Jobs"
PLATFORM = "The platform"
