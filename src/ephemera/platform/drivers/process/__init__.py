"""The process driver: a machine is a program of this computer, with a monitor beside it.

```
 server ── one byte and one end of a socket pair per boot ──► zygote
   ║                                                            │ fork, one ahead
   ╚═ the link: start, signal, exec, suspend, ps, end ◄══════► monitor ──fork, exec──► program
                                                                │  ▲ one pipe: its output
                                                                ▼
                                             log segments, lock, exit
```

`driver` is what the platform sees, `monitors` finds the monitor of a boot, `nursery` is the
server's end of the zygote, `link` its end of a link. Everything else runs in the small processes
and imports the standard library only. A monitor belongs to its boot, not to the server: it ends
when every process of the boot is dead and the exit is on disk.

What each process may rely on:

- The flock on a boot's lock is held by the one monitor of that boot, and the kernel lets go of
  it only when that monitor is dead. Before the program is executed the file says that it will
  be, and then as which process: whatever was executed is on record, and never run again.
- The exit appears at once and never changes.
- A boot without a lock has been destroyed and is never run.

Nothing is flushed to the disk: a record has to outlive processes, not the computer, whose end is
also the end of every program on it.

A program whose monitor was killed ends when the driver learns of it: at once where a server
runs, else when one is started. Its exit code is then known to nobody.

A boot is suspended by SIGSTOP to every process of it. Its monitor, which is not, remembers which
they are, so that a suspension ends with the monitor or by `resume`.

On Linux nothing of a boot escapes: orphans return to the monitor (`PR_SET_CHILD_SUBREAPER`), and
those of a killed monitor are found by an entry of their environment. Elsewhere the process group
is all that can be named, so a program that calls `setsid` leaves the machine.
"""
