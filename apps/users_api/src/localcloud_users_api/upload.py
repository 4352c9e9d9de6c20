"""Reading a multipart upload: never more than the limit is taken in."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from localcloud_users_api.model import NewUser
from localcloud_web.pool import BusyError
from localcloud_web.problem import FieldError, ProblemError, fields_of, invalid

# Bytes for the two text fields and the boundaries.
OVERHEAD = 16 * 1024
TEXT_FIELD = 4 * 1024
# An avatar above this many bytes goes to a file, if there is a folder for it.
SPOOL = 256 * 1024
# Seconds for the whole of a request's body, and for each part of it that comes.
PATIENCE, PAUSE = 60, 10
# Bytes of all uploads at a time. They fit into the folder for them, which the chart makes of 64 MiB.
ROOM = 48 * 1024 * 1024
EXPECTED = "send multipart/form-data with the fields name, email and avatar (a file)"


@dataclass(frozen=True, slots=True)
class Upload:
    """What was uploaded; `avatar` is to be closed."""

    user: NewUser
    avatar: BinaryIO


class Room:
    """What uploads may take at a time, in bytes; only the event loop changes it."""

    def __init__(self, limit: int) -> None:
        # One upload of the limit fits always.
        self._left = max(ROOM, limit + OVERHEAD)

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Have `size` bytes while the context is open; raises BusyError where there are fewer."""
        if size > self._left:
            raise BusyError
        self._left -= size
        try:
            yield
        finally:
            self._left += size


class _Parser(MultiPartParser):
    spool_max_size = SPOOL


class _MemoryParser(MultiPartParser):
    # Above every limit that a setting allows.
    spool_max_size = 2**40


def parser_for_this_machine() -> type[MultiPartParser]:
    """Choose whether large avatars go to files: a read-only root may have no folder for them."""
    try:
        with tempfile.TemporaryFile():
            return _Parser
    except OSError:
        return _MemoryParser


async def read_upload(request: Request, limit: int, parser: type[MultiPartParser]) -> Upload:
    """Read the request's body; raises ProblemError. `limit` is the avatar's, in bytes."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ProblemError(415, f"The body is not multipart/form-data: {EXPECTED}.")
    form = await _form(request, limit, parser)
    try:
        return _upload(form, limit)
    except BaseException:
        await form.close()
        raise


async def _form(request: Request, limit: int, parser: type[MultiPartParser]) -> FormData:
    try:
        async with asyncio.timeout(min(PAUSE, PATIENCE)) as pause:
            body = _counted(request, limit, pause)
            return await parser(request.headers, body, max_files=1, max_fields=3, max_part_size=TEXT_FIELD).parse()
    except MultiPartException as error:
        raise ProblemError(400, f"The body can't be read ({error.message.rstrip('.')}): {EXPECTED}.") from None
    except TimeoutError:
        detail = f"The body did not come within {PATIENCE} s, or no part of it for {PAUSE} s."
        raise ProblemError(408, detail, {"Connection": "close"}) from None


async def _counted(request: Request, limit: int, pause: asyncio.Timeout) -> AsyncGenerator[bytes, None]:
    """Pass the body on until it is more than an avatar of the limit can make it. Each part prolongs the pause."""
    taken, loop = 0, asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    async for chunk in request.stream():
        taken += len(chunk)
        if taken > limit + OVERHEAD:
            raise _too_large(limit)
        pause.reschedule(min(loop.time() + PAUSE, end))
        yield chunk


def _upload(form: FormData, limit: int) -> Upload:
    avatar = form.get("avatar")
    texts = {name: form[name] for name in ("name", "email") if isinstance(form.get(name), str)}
    missing = [] if isinstance(avatar, UploadFile) else [FieldError(field="avatar", message="a file is required")]
    try:
        user = NewUser.model_validate(texts)
    except ValidationError as error:
        raise invalid([*fields_of(error.errors()), *missing]) from None
    if not isinstance(avatar, UploadFile):
        raise invalid(missing)
    if (avatar.size or 0) > limit:
        raise _too_large(limit)
    return Upload(user, avatar.file)


def announced(request: Request, limit: int) -> int:
    """Give the size of the request's body as its header tells, or else the most it can have; raises ProblemError."""
    length = request.headers.get("content-length", "")
    most = limit + OVERHEAD
    size = int(length) if length.isascii() and length.isdigit() else most
    if size > most:
        raise _too_large(limit)
    return size


def _too_large(limit: int) -> ProblemError:
    return ProblemError(413, f"The avatar has more than the {limit} bytes it may have.")
