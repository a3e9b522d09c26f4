"""The system calls that a machine may make: what programs need, and nothing that is the host's.

What is not on the list does not exist for a machine (ENOSYS), so that programs that probe for a
newer call find their way to an older one. Left out on purpose: whatever mounts, makes namespaces,
loads code into the kernel, reads other processes' memory, keeps keys, sets the clock, traces the
kernel, or is a door that the kernel's own history says to keep shut (io_uring, userfaultfd, bpf).

A filter is compiled once, by the library that others compile theirs with as well, because
compiling it takes 3 ms. It is a tree: the kernel goes through it once for every system call
that there is, when a machine takes it on, which takes 0.4 ms where it is a list.

Source: the names are those of Linux's system call tables, see `man 2 syscalls`.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import os
import socket
import tempfile
from typing import Any

_FILES = """
    access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat
    faccessat2 fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32
    fchownat fcntl fcntl64 fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat fstat64
    fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64
    getxattr getxattrat inotify_add_watch inotify_init inotify_init1 inotify_rm_watch ioctl
    ioprio_get lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr _llseek
    lremovexattr lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at
    newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead
    readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile
    sendfile64 setxattr setxattrat splice stat stat64 statfs statfs64 statx symlink symlinkat sync
    sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat
    utimensat_time64 utimes vmsplice write writev
"""
_MEMORY = """
    brk cachestat get_mempolicy madvise map_shadow_stack mbind membarrier memfd_create mincore mlock
    mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock munlockall munmap pkey_alloc
    pkey_free pkey_mprotect process_madvise process_mrelease remap_file_pages set_mempolicy
    set_mempolicy_home_node
"""
_PROCESSES = """
    alarm arch_prctl capget capset execve execveat exit exit_group fork futex futex_requeue
    futex_time64 futex_wait futex_waitv futex_wake getcpu getegid getegid32 geteuid geteuid32
    getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp getpid getppid getpriority
    getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid gettid
    getuid getuid32 get_thread_area ioprio_set kill landlock_add_rule landlock_create_ruleset
    landlock_restrict_self lsm_get_self_attr lsm_list_modules nanosleep pause personality
    pidfd_open pidfd_send_signal prctl prlimit64 ptrace restart_syscall rseq rt_sigaction
    rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam
    sched_get_priority_max sched_get_priority_min sched_getscheduler sched_rr_get_interval
    sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
    setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid
    setresuid32 setreuid setreuid32 setrlimit set_robust_list setsid set_thread_area
    set_tid_address setuid setuid32 sigaltstack signal signalfd signalfd4 sigprocmask sigreturn
    tgkill time times tkill ugetrlimit vfork wait4 waitid waitpid chroot
"""
_TALKING = """
    accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait
    epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2 getpeername getsockname getsockopt ipc
    listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
    mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 poll ppoll ppoll_time64
    pselect6 pselect6_time64 recv recvfrom recvmmsg recvmmsg_time64 recvmsg select _newselect semctl
    semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat shmctl
    shmdt shmget shutdown socketpair
"""
_THE_REST = """
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime
    clock_gettime64 clock_nanosleep clock_nanosleep_time64 getrandom gettimeofday io_cancel
    io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit sethostname
    sysinfo timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64
    timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
    timerfd_settime64 uname
"""
_ALLOWED = (_FILES + _MEMORY + _PROCESSES + _TALKING + _THE_REST).split()
#: The flags of `clone` that make namespaces.
_NEW_NAMESPACES = 0x7E020000

#: What sockets can be of: this computer, IPv4, IPv6, the kernel's tables and links of its own
#: network. Others are not kept apart by network namespaces (a virtual machine's way to its host
#: among them, AF_VSOCK), or are code of the kernel that hardly anybody uses.
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, 16, 17)  # AF_NETLINK, AF_PACKET
#: The kernel looks at 32 bits of it.
_WHOLE_FAMILY = 0xFFFFFFFF

#: Of libseccomp: see `seccomp.h`.
_ALLOW, _ERRNO, _MASKED_EQ = 0x7FFF0000, 0x00050000, 7
_OPTIMIZE, _AS_TREE = 8, 2


def section() -> dict[str, Any]:
    """Return the filter as the OCI's config of a container has it."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.ENOSYS,
        "syscalls": [
            {"names": _ALLOWED, "action": "SCMP_ACT_ALLOW"},
            _only("clone", _NEW_NAMESPACES, 0),
            *(_only("socket", _WHOLE_FAMILY, one) for one in _FAMILIES),
        ],
    }


def _only(name: str, mask: int, value: int) -> dict[str, Any]:
    """Return what lets a call pass whose first argument has this value in these bits."""
    first = {"index": 0, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [first]}


def _library() -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return None


def compiles() -> bool:
    """Whether a filter can be compiled here."""
    return _library() is not None


def compiled() -> str:
    """Return the filter as the kernel takes it, in base64; empty where libseccomp is not there."""
    library = _library()
    if library is None:
        return ""
    library.seccomp_init.restype = ctypes.c_void_p
    filter_ = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_ERRNO | errno.ENOSYS)))
    try:
        for name in _ALLOWED:
            _allow(library, filter_, name, None)
        _allow(library, filter_, "clone", _Comparison(0, _MASKED_EQ, _NEW_NAMESPACES, 0))
        for family in _FAMILIES:
            only = _Comparison(0, _MASKED_EQ, _WHOLE_FAMILY, family)
            _allow(library, filter_, "socket", only)
        # refused by a library before 2.5, which makes a list
        library.seccomp_attr_set(filter_, _OPTIMIZE, ctypes.c_uint32(_AS_TREE))
        with tempfile.TemporaryFile() as file:
            if library.seccomp_export_bpf(filter_, file.fileno()):
                return ""
            return base64.b64encode(os.pread(file.fileno(), 1 << 20, 0)).decode()
    finally:
        library.seccomp_release(filter_)


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("a", ctypes.c_uint64),
        ("b", ctypes.c_uint64),
    )


def _allow(
    library: ctypes.CDLL, filter_: ctypes.c_void_p, name: str, only: _Comparison | None
) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number < 0:  # not on this architecture, or newer than the library
        return
    count, where = (1, ctypes.byref(only)) if only else (0, None)
    action = ctypes.c_uint32(_ALLOW)
    if library.seccomp_rule_add_array(filter_, action, number, count, where):
        raise OSError(errno.EINVAL, f"libseccomp does not take a rule for {name}")
