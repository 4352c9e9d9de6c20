"""Small pictures made on the spot."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def picture(kind: str = "PNG", size: tuple[int, int] = (8, 8)) -> bytes:
    """Make a picture of a kind that Pillow can write."""
    file = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(file, kind)
    return file.getvalue()


def phone_picture() -> bytes:
    """Make a JPEG with a second picture behind the first, as phones do for portrait and HDR."""
    file = io.BytesIO()
    first = Image.new("RGB", (8, 8), (200, 30, 30))
    first.save(file, "MPO", save_all=True, append_images=[Image.new("L", (4, 4), 90)])
    return file.getvalue()


def png_of(size: int) -> bytes:
    """Make a PNG of exactly `size` bytes, by a chunk of text that viewers ignore."""
    plain = picture()
    end = plain.rindex(b"\0\0\0\0IEND")
    filler = b"tEXtComment\0" + b"x" * (size - len(plain) - 12 - 8)
    chunk = struct.pack(">I", len(filler) - 4) + filler + struct.pack(">I", zlib.crc32(filler))
    return plain[:end] + chunk + plain[end:]


def bomb(width: int = 60_000, height: int = 60_000) -> bytes:
    """Make a PNG that says it has far more pixels than its few bytes tell."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 1_000_000, 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
