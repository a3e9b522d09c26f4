"""The process driver: a machine is a program of this computer, with a monitor beside it.

`driver` is what the platform sees, `body` what the monitor does (`drivers/monitoring` says what
a monitor is): programs are started as they are, beside their files in a folder of the machine's.

A boot is suspended by SIGSTOP to every process of it. Its monitor, which is not, remembers which
they are, so that a suspension ends with the monitor or by `resume`.

On Linux nothing of a boot escapes: orphans return to the monitor (`PR_SET_CHILD_SUBREAPER`), and
those of a killed monitor are found by an entry of their environment. Elsewhere the process group
is all that can be named, so a program that calls `setsid` leaves the machine.
"""
