"""Which picture some bytes are, by their content alone; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

# A picture of more is refused: its few bytes would fill a viewer's memory. Nothing is unpacked here.
MOST_PIXELS = 50_000_000
# Pillow's own limit warns at first; ours refuses at once.
Image.MAX_IMAGE_PIXELS = None


class NoImageError(ValueError):
    """The bytes are no picture of a kind that is taken."""


class TooManyPixelsError(ValueError):
    """The picture is larger than MOST_PIXELS."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of picture: its media type and the suffix of its keys."""

    media_type: str
    suffix: str


KINDS = {"PNG": Kind("image/png", ".png"), "JPEG": Kind("image/jpeg", ".jpg"), "WEBP": Kind("image/webp", ".webp")}
# A phone's JPEG with more pictures behind the first (portrait, HDR): only Pillow has another name for it (CIPA DC-007).
ALIASES = {"MPO": "JPEG"}
MEDIA_TYPES = {kind.suffix: kind.media_type for kind in KINDS.values()}


def recognise(file: BinaryIO) -> Kind:
    """Tell the picture's kind from its header and, for PNG, its checksums. Leaves the file at its beginning.

    Raises NoImageError, TooManyPixelsError.
    """
    file.seek(0)
    try:
        return _recognise(file)
    except TooManyPixelsError:
        raise
    # Pillow's parsers raise errors of many kinds for bytes that were made to break them.
    except Exception as error:
        raise NoImageError(str(error)) from None
    finally:
        file.seek(0)


def _recognise(file: BinaryIO) -> Kind:
    image = Image.open(file, formats=list(KINDS))
    if image.width * image.height > MOST_PIXELS:
        raise TooManyPixelsError(f"{image.width} x {image.height} pixels")
    name = image.format or ""
    kind = KINDS[ALIASES.get(name, name)]
    image.verify()
    return kind
