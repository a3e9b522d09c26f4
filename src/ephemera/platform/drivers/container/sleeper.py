"""A program that does nothing for ever, as bytes: what the first process of a machine becomes.

All that process has to do is to be there. As a fork of Python it would keep a megabyte of its own
for that, a third of what a machine costs; this takes one page. No program of this computer would
do: one that needs a loader does not start where there is nothing else to be seen. Standard
library only.
"""

from __future__ import annotations

import platform
import struct

#: Where it is loaded: as any program that needs no loader.
_BASE = 0x400000
_HEADER_BYTES, _SEGMENT_BYTES = 64, 56
#: `pause()`, again and again; where there is no such call, `ppoll()` of nothing without an end.
#: Each with the number that ELF has for the architecture.
_CODE = {
    "x86_64": (
        62,
        bytes((0xB8, 0x22, 0x00, 0x00, 0x00))  # mov eax, 34
        + bytes((0x0F, 0x05))  # syscall
        + bytes((0xEB, 0xF7)),  # jmp to the first
    ),
    "aarch64": (
        183,
        struct.pack(
            "<7I",
            0xD2800000,  # mov x0, 0
            0xD2800001,  # mov x1, 0
            0xD2800002,  # mov x2, 0
            0xD2800003,  # mov x3, 0
            0xD2800928,  # mov x8, 73
            0xD4000001,  # svc 0
            0x17FFFFFA,  # b to the first
        ),
    ),
}


def program() -> bytes:
    """Return the program for this computer; nothing where it is of another architecture.

    Source: the System V ABI on ELF, for the header and the one segment.
    """
    if platform.machine() not in _CODE:
        return b""
    machine, code = _CODE[platform.machine()]
    start = _HEADER_BYTES + _SEGMENT_BYTES
    size = start + len(code)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")  # 64 bits, little-endian
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        identity, 2, machine, 1, _BASE + start, _HEADER_BYTES, 0, 0,
        _HEADER_BYTES, _SEGMENT_BYTES, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code
