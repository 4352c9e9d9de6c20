"""Run a command with the words of ARGS behind its own, as make gives them to ansible-playbook.

ARGS is data, no shell's text: words are apart by whitespace, may be quoted as in a shell, and one that is JSON goes on to
its last bracket, whatever is in it. So that `ARGS='-e {"stack_tags": {"team": "a"}}'` means what it says.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import sys

DECODER = json.JSONDecoder(strict=False)


def words(text: str) -> list[str]:
    """The words of a text. Raises ValueError where a quote is not closed."""
    found, rest = [], text.lstrip()
    while rest:
        word, rest = _json(rest) or _word(rest)
        found.append(word)
        rest = rest.lstrip()
    return found


def _json(text: str) -> tuple[str, str] | None:
    """A JSON object or list at the beginning as it stands, and what follows it; None where there is none."""
    if text[0] not in "{[":
        return None
    try:
        _value, end = DECODER.raw_decode(text)
    except ValueError:
        return None
    return (text[:end], text[end:]) if not text[end:] or text[end].isspace() else None


def _word(text: str) -> tuple[str, str]:
    """The first word as a shell reads it, and what follows it."""
    stream = io.StringIO(text)
    lexer = shlex.shlex(stream, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    word = lexer.get_token()
    return word or "", text[stream.tell() :]


def main() -> None:
    try:
        own = words(os.environ.get("ARGS", ""))
    except ValueError as error:
        sys.exit(f"ARGS can't be taken apart ({error}): {os.environ['ARGS']}. Close the quote, then run again.")
    try:
        os.execvp(sys.argv[1], [*sys.argv[1:], *own])
    except FileNotFoundError:
        sys.exit(f"There is no {sys.argv[1]}. Run make setup, then run again.")


if __name__ == "__main__":
    main()
