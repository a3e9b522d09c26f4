"""A monitor beside each boot: the small process that outlives the server and sees the end.

```
 server ── one byte and one end of a socket pair per boot ──► zygote
   ║                                                            │ fork, some ahead
   ╚═ the link: start, signal, exec, suspend, ps, end ◄══════► monitor ── starts ──► programs
                                                                │  ▲ one pipe: their output
                                                                ▼
                                             log segments, lock, exit
```

`monitors` finds the monitor of a boot, `nursery` is the server's end of the zygote, `link` its end
of a link. Everything else runs in the small processes and imports the standard library only. How
programs are started, reached and ended is the `Body` that a driver brings, see `body`. A monitor
belongs to its boot, not to the server: it is done when every process of the boot is dead and the
exit is on disk. Then it ends, or forgets the boot and is a spare again, see `renewal`.

What each process may rely on:

- The flock on a boot's lock is held by the one monitor of that boot, and the kernel lets go of
  it only when that monitor is dead, or is done with the boot. Before a program is executed the
  file says that it will be, and then as which process: whatever was executed is on record, and
  never run again.
- The exit appears at once and never changes.
- A boot without a lock has been destroyed and is never run.

Nothing is flushed to the disk: a record has to outlive processes, not the computer, whose end is
also the end of every program on it.

A program whose monitor was killed ends when the driver learns of it: at once where a server
runs, else when one is started. Its exit code is then known to nobody.
"""
