"""What a user is, and the cursor of a listing; pure."""

from __future__ import annotations

import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated
from uuid import uuid4

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from localcloud_events.message import KEY_BYTES

NAME_LENGTH = 200
# What base64 has no use for.
OTHER_KEY = "."


class BadCursorError(ValueError):
    """The text is not a cursor that a listing gave."""


# Callers ask for the same users again; 1,024 addresses are well below a megabyte.
@lru_cache(maxsize=1024)
def normalise_email(text: str) -> str:
    """Give the one form of an address that stands for all its spellings: Unicode's NFC, in lower case.

    The standard lets a mail server tell `Ann@` from `ann@`; none of use does, and two users for one mailbox would be
    the greater harm. Raises ValueError.
    """
    try:
        # Names like example.test are for tests, which is what an emulator is for.
        address = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    return unicodedata.normalize("NFC", address.normalized.lower())


def _clean_name(text: str) -> str:
    name = unicodedata.normalize("NFC", text.strip())
    if not name:
        raise ValueError("must not be empty")
    if len(name) > NAME_LENGTH:
        raise ValueError(f"must have {NAME_LENGTH} characters at the most")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in name):
        raise ValueError("must not have control characters")
    return name


Email = Annotated[str, AfterValidator(normalise_email)]
Name = Annotated[str, AfterValidator(_clean_name)]


class NewUser(BaseModel):
    """A user as asked for."""

    model_config = ConfigDict(frozen=True)

    name: Name
    email: Email


@dataclass(frozen=True, slots=True)
class User:
    """A user as stored; `avatar_key` is the S3 key of the avatar, `created_at` RFC 3339 in UTC."""

    email: str
    name: str
    avatar_key: str
    created_at: str


# What is shown is made here of what was checked when it was stored: dictionaries, which take a tenth of a model's time.
class UserOut(TypedDict):
    """A user as shown."""

    name: Annotated[str, Field(examples=["Jane Doe"])]
    email: Annotated[
        str, Field(examples=["jane@example.com"], description="Its normalised form, in lower case: the user's key.")
    ]
    avatar_url: Annotated[str, Field(examples=["http://localhost:8080/user/jane@example.com/avatar"])]
    created_at: Annotated[str, Field(examples=["2026-01-31T12:00:00Z"])]


class UserPage(TypedDict):
    """A page of a listing, in no particular order."""

    users: list[UserOut]
    next: Annotated[
        str | None, Field(description="What to give as `next` for the following page; null on the last one.")
    ]


def new_avatar_key(prefix: str, suffix: str) -> str:
    """Make a key that no other avatar has or will have."""
    return f"{prefix}{uuid4()}{suffix}"


def encode_cursor(key: str) -> str:
    """Give the cursor of the page that follows this key of the table, which is marked where it is no user's."""
    text = urlsafe_b64encode(key.encode()).decode().rstrip("=")
    return text if _is_address(key) else f"{OTHER_KEY}{text}"


def decode_cursor(cursor: str) -> str:
    """Give the key a cursor stands for; raises BadCursorError for what encode_cursor can't have given."""
    text = cursor.removeprefix(OTHER_KEY)
    try:
        key = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        key = ""
    if 0 < len(key.encode()) <= KEY_BYTES and encode_cursor(key) == cursor:
        return key
    raise BadCursorError("next is not a cursor of this listing; leave it out to begin at the first page")


def _is_address(text: str) -> bool:
    try:
        return normalise_email(text) == text
    except ValueError:
        return False
