"""Machine code for programs of a page: system calls one after the other, and little between them.

What a computer executes is in `X86` and `ARM`, one instruction in each entry; `elf` makes a file
of it that needs no loader. A result is what the last system call returned. Standard library only.

Source: the manuals of both architectures for the instructions, the kernel's tables for the
numbers of system calls, the System V ABI on ELF for the header and the one segment.
"""

from __future__ import annotations

import struct
from typing import Final, Protocol

#: Where a program is loaded: as any that needs no loader.
_BASE = 0x400000
_HEADER_BYTES, _SEGMENT_BYTES = 64, 56
_BLOCK_BYTES_MAX = 127


class Stack:
    """An argument that is the address of what is on top of the stack."""


class Same:
    """An argument that is in its place already."""


STACK: Final = Stack()
SAME: Final = Same()
Argument = int | Stack | Same


class Code(Protocol):
    """An architecture: each method returns instructions, of which a program is the sum."""

    #: What ELF calls it.
    machine: int
    #: Puts the result on the stack.
    push: bytes
    #: Makes the result less by one.
    decrease: bytes
    #: Has `next_word` begin with what the program was told first, after its own name.
    first_word: bytes
    #: Makes the next word that the program was told the second argument of a call.
    next_word: bytes

    def make_calls(self, memory: int, first: int, failed: bytes) -> bytes:
        """Make the calls of a list, see `calls`, until one fails or does not return.

        Args:
            memory: Where it is said which one failed, and why.
            first: Where the first call is.
            failed: What is done then.
        """
        ...

    @property
    def execute(self) -> bytes:
        """Execute the rest of the words as a command, in the environment that the program has."""
        ...

    def call(self, name: str, *arguments: Argument) -> bytes:
        """Make a system call. An argument of one that is the result is the first, and `SAME`."""
        ...

    def unless_zero(self, block: bytes) -> bytes:
        """Execute a block if the result is not 0."""
        ...

    def if_negative(self, block: bytes) -> bytes:
        """Execute a block if the result is an error."""
        ...

    def if_no_word(self, block: bytes) -> bytes:
        """Execute a block if the word of `next_word` is empty."""
        ...

    def forever(self, block: bytes) -> bytes:
        """Execute a block again and again."""
        ...


class _X86:
    machine = 62
    push = b"\x50"  # push rax
    decrease = b"\xff\xc8"  # dec eax
    first_word = b"\x48\x8d\x5c\x24\x10"  # lea rbx, [rsp+16]
    next_word = b"\x48\x8b\x33\x48\x83\xc3\x08"  # mov rsi, [rbx]; add rbx, 8
    _NUMBERS: Final[dict[str, int]] = {
        "read": 0, "write": 1, "close": 3, "mmap": 9, "rt_sigaction": 13, "clone": 56, "execve": 59,
        "chdir": 80, "setsid": 112, "setresuid": 117, "setresgid": 119, "prctl": 157,
        "chroot": 161, "exit_group": 231, "openat": 257, "ppoll": 271,
    }  # fmt: skip
    #: mov edi/esi/edx/r10d/r8d/r9d, number
    _LOAD = (b"\xbf", b"\xbe", b"\xba", b"\x41\xba", b"\x41\xb8", b"\x41\xb9")
    #: mov rdi/rsi, rsp
    _LOAD_STACK = (b"\x48\x89\xe7", b"\x48\x89\xe6")
    _MOVE_RESULT = b"\x89\xc7"  # mov edi, eax

    @property
    def execute(self) -> bytes:
        words = b"\x48\x8b\x3b\x48\x89\xde"  # mov rdi, [rbx]; mov rsi, rbx
        environment = (
            b"\x48\x8b\x14\x24\x48\x8d\x54\xd4\x10"  # mov rdx, [rsp]; lea rdx, [rsp+rdx*8+16]
        )
        return words + environment + self.call("execve")

    def call(self, name: str, *arguments: Argument) -> bytes:
        code = self._MOVE_RESULT if arguments[:1] == (SAME,) else b""
        for place, argument in enumerate(arguments):
            if isinstance(argument, Stack):
                code += self._LOAD_STACK[place]
            elif isinstance(argument, int):
                code += self._LOAD[place] + struct.pack("<I", argument & 0xFFFFFFFF)
        number = struct.pack("<I", self._NUMBERS[name])
        return code + b"\xb8" + number + b"\x0f\x05"  # mov eax, number; syscall

    def unless_zero(self, block: bytes) -> bytes:
        return b"\x85\xc0\x74" + _short(block) + block  # test eax, eax; jz

    def if_negative(self, block: bytes) -> bytes:
        return b"\x85\xc0\x79" + _short(block) + block  # test eax, eax; jns

    def if_no_word(self, block: bytes) -> bytes:
        return b"\x80\x3e\x00\x75" + _short(block) + block  # cmp byte [rsi], 0; jne

    def forever(self, block: bytes) -> bytes:
        return block + b"\xe9" + struct.pack("<i", -len(block) - 5)  # jmp

    def make_calls(self, memory: int, first: int, failed: bytes) -> bytes:
        load = (
            b"\x48\x8b\x03\x48\x8b\x7b\x08\x48\x8b\x73\x10"  # mov rax/rdi/rsi, [rbx+0/8/16]
            b"\x48\x8b\x53\x18\x4c\x8b\x53\x20"  # mov rdx/r10, [rbx+24/32]
            b"\x4c\x8b\x43\x28\x4c\x8b\x4b\x30"  # mov r8/r9, [rbx+40/48]
        )
        tell = b"\x48\x89\x04\x25" + struct.pack("<I", memory)  # mov [memory], rax
        tell += b"\x48\x89\x1c\x25" + struct.pack("<I", memory + 8)  # mov [memory+8], rbx
        fail = tell + failed
        expected = b"\x48\x0f\xa3\x43\x38\x72" + _short(fail)  # bt [rbx+56], rax; jc
        expected = b"\x83\xf8\x3f\x77" + _short(expected) + expected  # cmp eax, 63; ja
        any_ = b"\x48\x83\x7b\x38\xff\x74" + _short(expected + fail)  # cmp [rbx+56], -1; je
        zero = b"\x48\x03\x5b\x40"  # add rbx, [rbx+64]
        more = b"\x48\x03\x5b\x48\xeb" + _short(zero)  # add rbx, [rbx+72]; jmp
        over = b"\x48\x85\xc0\x74" + _short(more) + more + zero  # test rax, rax; jz
        # neg rax; jmp
        error = b"\x48\xf7\xd8" + any_ + expected + fail + b"\xeb" + _short(over)
        decide = b"\x48\x85\xc0\x79" + _short(error) + error + over  # test rax, rax; jns
        next_ = b"\x48\x83\xc3\x50"  # add rbx, 80
        begin = b"\xbb" + struct.pack("<I", first)  # mov ebx, first
        return begin + self.forever(load + b"\x0f\x05" + decide + next_)


def _short(block: bytes) -> bytes:
    assert len(block) <= _BLOCK_BYTES_MAX
    return bytes((len(block),))


class _Arm:
    machine = 183
    push = struct.pack("<I", 0xF81F0FE0)  # str x0, [sp, #-16]!
    decrease = struct.pack("<I", 0x51000400)  # sub w0, w0, #1
    first_word = struct.pack("<I", 0x910043F3)  # add x19, sp, #16
    next_word = struct.pack("<I", 0xF8408661)  # ldr x1, [x19], #8
    _NUMBERS: Final[dict[str, int]] = {
        "chdir": 49, "chroot": 51, "openat": 56, "close": 57, "read": 63, "write": 64, "ppoll": 73,
        "exit_group": 94, "rt_sigaction": 134, "setresuid": 147, "setresgid": 149, "setsid": 157,
        "prctl": 167, "clone": 220, "execve": 221, "mmap": 222,
    }  # fmt: skip

    @property
    def execute(self) -> bytes:
        words = struct.pack("<2I", 0xF9400260, 0xAA1303E1)  # ldr x0, [x19]; mov x1, x19
        # ldr x2, [sp]; add x2, sp, x2, lsl 3; add x2, x2, #16
        environment = struct.pack("<3I", 0xF94003E2, 0x8B226FE2, 0x91004042)
        return words + environment + self.call("execve")

    def call(self, name: str, *arguments: Argument) -> bytes:
        code = b""
        for place, argument in enumerate(arguments):
            if isinstance(argument, Stack):
                code += struct.pack("<I", 0x910003E0 | place)  # add x, sp, #0
            elif isinstance(argument, int):
                code += self._load(place, argument)
        return code + self._load(8, self._NUMBERS[name]) + struct.pack("<I", 0xD4000001)  # svc 0

    def _load(self, register: int, value: int) -> bytes:
        low, high = value & 0xFFFF, value >> 16 & 0xFFFF
        first = 0x52800000 | low << 5 | register  # movz w, low
        second = 0x72A00000 | high << 5 | register  # movk w, high, lsl 16
        return struct.pack("<2I", first, second)

    def unless_zero(self, block: bytes) -> bytes:
        return struct.pack("<I", 0x34000000 | self._over(block) << 5) + block  # cbz w0

    def if_negative(self, block: bytes) -> bytes:
        return struct.pack("<I", 0x36F80000 | self._over(block) << 5) + block  # tbz w0, #31

    def if_no_word(self, block: bytes) -> bytes:
        # ldrb w2, [x1]; cbnz w2
        return struct.pack("<2I", 0x39400022, 0x35000002 | self._over(block) << 5) + block

    def forever(self, block: bytes) -> bytes:
        return block + struct.pack("<I", 0x14000000 | -len(block) // 4 & 0x3FFFFFF)  # b

    def make_calls(self, memory: int, first: int, failed: bytes) -> bytes:
        # ldr x8, [x19]; ldp x0, x1, [x19, #8]; x2, x3 and x4, x5 likewise; svc 0
        call = struct.pack(
            "<5I", 0xF9400268, 0xA9408660, 0xA9418E62, 0xA9429664, 0xD4000001
        )  # fmt: skip
        # str x0, [x9]; str x19, [x9, #8]
        fail = self._load(9, memory) + struct.pack("<2I", 0xF9000120, 0xF9000533) + failed
        # lsr x9, x9, x0; tbnz w9, #0
        expected = struct.pack("<2I", 0x9AC02529, 0x37000009 | self._over(fail) << 5)
        # cmp x0, #63; b.hi
        expected = struct.pack("<2I", 0xF100FC1F, 0x54000008 | self._over(expected) << 5) + expected
        # ldr x9, [x19, #56]; cmn x9, #1; b.eq
        any_ = struct.pack(
            "<3I", 0xF9401E69, 0xB100053F, 0x54000000 | self._over(expected + fail) << 5
        )
        # ldr x9, [x19, #64]; add x19, x19, x9
        zero = struct.pack("<2I", 0xF9402269, 0x8B090273)
        # ldr x9, [x19, #72]; add x19, x19, x9; b
        more = struct.pack("<3I", 0xF9402669, 0x8B090273, 0x14000000 | self._over(zero))
        over = struct.pack("<I", 0xB4000000 | self._over(more) << 5) + more + zero  # cbz x0
        # neg x0, x0; b
        error = struct.pack("<I", 0xCB0003E0) + any_ + expected + fail
        error += struct.pack("<I", 0x14000000 | self._over(over))
        # tbz x0, #63; add x19, x19, #80
        decide = struct.pack("<I", 0xB6F80000 | self._over(error) << 5) + error + over
        next_ = struct.pack("<I", 0x91014273)
        return self._load(19, first) + self.forever(call + decide + next_)

    @staticmethod
    def _over(block: bytes) -> int:
        return len(block) // 4 + 1


X86: Final[Code] = _X86()
ARM: Final[Code] = _Arm()


class Data:
    """What a program reads and does not write; each piece is put in before the code is made."""

    def __init__(self) -> None:
        self.bytes = b""

    def add(self, piece: bytes) -> int:
        """Return the address that a piece is going to have."""
        address = _BASE + _HEADER_BYTES + _SEGMENT_BYTES + len(self.bytes)
        self.bytes += piece + bytes(-len(piece) % 8)  # instructions and numbers are aligned
        return address


def elf(architecture: Code, data: Data, code: bytes) -> bytes:
    """Return a program that begins with the code, and ends by a system call."""
    start = _HEADER_BYTES + _SEGMENT_BYTES + len(data.bytes)
    size = start + len(code)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")  # 64 bits, little-endian
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        identity, 2, architecture.machine, 1, _BASE + start, _HEADER_BYTES, 0, 0,
        _HEADER_BYTES, _SEGMENT_BYTES, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + data.bytes + code
