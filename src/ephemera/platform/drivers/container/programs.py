"""The programs of a page that a monitor starts for a machine, as bytes.

`first` becomes the first process of a machine, `caller` becomes its program, by a list of system
calls (see `calls`). Where that is left to `crun`, `enter` becomes `crun` in the machine's cgroups.
As forks of Python they would copy a monitor's memory, and write to what they share with it, which
takes more time than all that they do; as a shell the second would load a library first. No program
of this computer would do as the first process: one that needs a loader does not start where there
is nothing else to be seen. Standard library only.
"""

from __future__ import annotations

import os
import signal
import struct

from ephemera.platform.drivers.container import calls
from ephemera.platform.drivers.container.assembly import ARM, SAME, STACK, X86, Code, Data, elf

_ARCHITECTURES = {"x86_64": X86, "aarch64": ARM}
_CLONE_PARENT = 0x8000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_AT_FDCWD = -100
_NUMBER_BYTES, _SIGNAL_SET_BYTES = 4, 8
_ANSWERED = 1
_FAILED = 1
_PROT_READ_WRITE, _MAP_SHARED_FIXED = 3, 0x11
#: What `caller` finds the memory with the calls at.
CALLS_FD = 4


def here() -> Code | None:
    """Return the architecture of this computer; None where there are no programs for it."""
    return _ARCHITECTURES.get(os.uname().machine)


def first(code: Code, namespaces: int) -> bytes:
    """Return what makes the first process of a machine, and what that is then.

    It is started in the folder that is all that process is to see. To its standard output it
    writes the number of the process, a child of whoever started it, or of an error, less than
    0. The process begins when there is a byte at its standard input, and ends where there will be
    none: by then it must be clear who root is in the new namespaces.

    Args:
        namespaces: Which it makes, as `clone` has them.
    """
    data = Data()
    here_, root = data.add(b".\0"), data.add(b"/\0")
    ignore = data.add(struct.pack("<4Q", signal.SIG_IGN, 0, 0, 0))
    die = code.call("exit_group", _FAILED)
    with_monitor = code.call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL))
    tell = code.push + code.call("write", 1, STACK, _NUMBER_BYTES) + code.call("exit_group", 0)
    program = code.call("clone", namespaces | _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    program += code.unless_zero(tell)
    program += with_monitor
    program += code.call("read", 0, STACK, _ANSWERED) + code.decrease + code.unless_zero(die)
    program += code.call("setresgid", 0, 0, 0) + code.unless_zero(die)
    program += code.call("setresuid", 0, 0, 0) + code.unless_zero(die)
    program += with_monitor  # becoming another user has undone it
    # as executing a program would have it, too: else only root of the computer finds what it has
    program += code.call("prctl", _PR_SET_DUMPABLE, 1)
    program += code.call("setsid")
    program += code.call("rt_sigaction", int(signal.SIGCHLD), ignore, 0, _SIGNAL_SET_BYTES)
    program += code.call("chroot", here_) + code.unless_zero(die)
    program += code.call("chdir", root) + code.unless_zero(die)
    for descriptor in range(3):
        program += code.call("close", descriptor)
    program += code.forever(code.call("ppoll", 0, 0, 0, 0))
    return elf(code, data, program)


def enter(code: Code) -> bytes:
    """Return what enters cgroups and then becomes another program, which ends with its parent.

    Its words are the files to write to, an empty one, and the command.
    """
    data = Data()
    self_ = data.add(b"0")
    die = code.call("exit_group", _FAILED)
    go = code.execute + die
    one = code.next_word + code.if_no_word(go)
    one += code.call("openat", _AT_FDCWD, SAME, os.O_WRONLY | os.O_CLOEXEC, 0)
    one += code.if_negative(die)
    one += code.call("write", SAME, self_, 1)
    one += code.if_negative(die)
    # a crun that waits for its config would wait for ever where its monitor is killed
    with_monitor = code.call("prctl", _PR_SET_PDEATHSIG, int(signal.SIGKILL))
    return elf(code, data, with_monitor + code.first_word + code.forever(one))


def caller(code: Code) -> bytes:
    """Return what makes the calls of a list, whose memory it finds at the descriptor `CALLS_FD`."""
    die = code.call("exit_group", _FAILED)
    share = (calls.MEMORY, calls.MEMORY_BYTES, _PROT_READ_WRITE, _MAP_SHARED_FIXED, CALLS_FD, 0)
    program = code.call("mmap", *share) + code.if_negative(die)
    return elf(code, Data(), program + code.make_calls(calls.MEMORY, calls.FIRST, die))
