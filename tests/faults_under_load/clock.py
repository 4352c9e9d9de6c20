"""Another time of day for running processes, of whatever language, while the host's clock stays as it is.

Time namespaces shift only the monotonic clocks, and a preloaded library (libfaketime) is not seen by static programs, as all of Kubernetes
are. All of them ask the vDSO, though, a page of code that the kernel puts into each process, which is private to it once it is written:
here its functions get a body that asks the kernel and adds an offset. Timers and what the kernel itself stamps (files' times) keep
the host's time, and a process that is started later has it again, until it is shifted, too.
"""

from __future__ import annotations

import contextlib
import os
import platform
import re
import signal
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from ansible_collections.localcloud.stack.plugins.module_utils.common.waiting import wait_for

# System V ABI of x86_64: arguments in rdi and rsi, results in rax; a system call takes its number in rax and overwrites rcx and r11.
SUPPORTED = platform.machine() == "x86_64"
CLOCK_GETTIME, GETTIMEOFDAY, TIME = 228, 96, 201
# CLOCK_REALTIME and CLOCK_REALTIME_COARSE; the monotonic ones do not jump.
COARSE = 5


def _system_call(number: int) -> bytes:
    return b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"  # mov eax, number; syscall


def _offset(seconds: int) -> bytes:
    return struct.pack("<i", seconds)


def bodies(seconds: int) -> dict[str, bytes]:
    """Machine code for the vDSO's functions that tell the time: what the kernel says, and so many seconds more."""
    offset = _offset(seconds)
    return {
        "__vdso_clock_gettime": _system_call(CLOCK_GETTIME)
        # test edi, edi; je +5; cmp edi, COARSE; jne +7
        + (b"\x85\xff\x74\x05\x83\xff" + bytes([COARSE]) + b"\x75\x07")
        # add qword [rsi], seconds; ret
        + (b"\x48\x81\x06" + offset + b"\xc3"),
        "__vdso_gettimeofday": _system_call(GETTIMEOFDAY)
        # test rdi, rdi; je +7; add qword [rdi], seconds; ret
        + (b"\x48\x85\xff\x74\x07\x48\x81\x07" + offset + b"\xc3"),
        # add rax, seconds; test rdi, rdi; je +3; mov [rdi], rax; ret
        "__vdso_time": _system_call(TIME) + b"\x48\x05" + offset + b"\x48\x85\xff\x74\x03\x48\x89\x07\xc3",
    }


def functions(image: bytes) -> dict[str, tuple[int, int]]:
    """Offset and size of the functions of a vDSO, an ELF library, by name."""
    (headers,) = struct.unpack_from("<Q", image, 32)
    size, number = struct.unpack_from("<HH", image, 54)
    for start in range(headers, headers + size * number, size):
        kind, offset, length = (
            struct.unpack_from("<I", image, start)[0],
            *struct.unpack_from("<Q16xQ", image, start + 8),
        )
        if kind == 2:  # PT_DYNAMIC: tags and values
            tags = dict(struct.iter_unpack("<QQ", image[offset : offset + length]))
    # DT_STRTAB 5, DT_SYMTAB 6, and DT_HASH 4 that has the number of symbols.
    (count,) = struct.unpack_from("<I", image, tags[4] + 4)
    found = {}
    for index in range(count):
        name, _info, _other, _section, value, length = struct.unpack_from("<IBBHQQ", image, tags[6] + 24 * index)
        text = image[tags[5] + name : image.index(b"\0", tags[5] + name)]
        found[text.decode()] = (value, length)
    return found


def mapping(pid: int) -> tuple[int, int] | None:
    """Where a process has its vDSO; kernel threads have none."""
    found = re.search(r"^(\w+)-(\w+) .*\[vdso\]$", Path(f"/proc/{pid}/maps").read_text(), re.MULTILINE)
    return (int(found[1], 16), int(found[2], 16)) if found else None


class Jump:
    """Processes that are told a time so many seconds ahead of the real one (behind it, if negative), until they are put back."""

    def __init__(self, seconds: int) -> None:
        self.seconds = seconds
        # Process and its start; where its offsets are.
        self._shifted: dict[tuple[int, float], list[int]] = {}

    def shift(self, processes: Iterable[psutil.Process]) -> int:
        """Shift those that are not yet; how many these were. One that ends meanwhile is left out."""
        shifted = 0
        for process in processes:
            with contextlib.suppress(OSError, psutil.Error):
                shifted += self._shift(process)
        return shifted

    def is_shifted(self, process: psutil.Process) -> bool:
        return (process.pid, process.create_time()) in self._shifted

    def back(self) -> None:
        """Tell the real time again to all that still run."""
        for (pid, created), places in self._shifted.items():
            with contextlib.suppress(OSError, psutil.Error):
                if psutil.Process(pid).create_time() == created:
                    self._write(pid, dict.fromkeys(places, _offset(0)))
        self._shifted.clear()

    def _shift(self, process: psutil.Process) -> bool:
        key = (process.pid, process.create_time())
        place = mapping(process.pid)
        if key in self._shifted or place is None:
            return False
        start, end = place
        with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
            memory.seek(start)
            image = memory.read(end - start)
        known = functions(image)
        code = bodies(self.seconds)
        for name, body in code.items():
            assert len(body) <= known[name][1], f"{name} has only {known[name][1]} bytes"
        written = {start + known[name][0]: body for name, body in code.items()}
        offsets = [address + body.index(_offset(self.seconds)) for address, body in written.items()]
        if all(image[address - start :].startswith(body) for address, body in written.items()):
            # Forked from one that is shifted.
            self._shifted[key] = offsets
            return False
        with stopped(process.pid, place):
            self._write(process.pid, written)
        self._shifted[key] = offsets
        return True

    @staticmethod
    def _write(pid: int, contents: dict[int, bytes]) -> None:
        with open(f"/proc/{pid}/mem", "wb", buffering=0) as memory:
            for address, content in contents.items():
                memory.seek(address)
                memory.write(content)


@contextlib.contextmanager
def stopped(pid: int, place: tuple[int, int]) -> Iterator[None]:
    """Stop a process while none of its threads is within these addresses; afterwards it goes on."""
    was_stopped = psutil.Process(pid).status() == psutil.STATUS_STOPPED

    def outside() -> str | None:
        os.kill(pid, signal.SIGSTOP)
        inside = [task for task in Path(f"/proc/{pid}/task").iterdir() if _is_within(task, place)]
        if not inside:
            return None
        os.kill(pid, signal.SIGCONT)
        return f"{len(inside)} threads run or are within"

    try:
        wait_for(f"the threads of process {pid} to stop outside of its vDSO", outside, timeout=10, interval=0.001)
        yield
    finally:
        if not was_stopped:
            os.kill(pid, signal.SIGCONT)


def _is_within(task: Path, place: tuple[int, int]) -> bool:
    """Whether a thread's next instruction is within these addresses, or it has yet to stop."""
    try:
        said = (task / "syscall").read_text().split()
    except OSError:
        return False
    # "running", or the number of a system call or -1 with, at its end, the instruction's address.
    return said[0] == "running" or place[0] <= int(said[-1], 16) < place[1]
