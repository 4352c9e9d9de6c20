"""Texts in what the roles write stay texts: YAML takes 0123 for a number, on for a boolean, 2026-01-01 for a date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted([*PROJECT.glob("roles/*/templates/*.yml.j2"), *PROJECT.glob("playbooks/templates/*.yml.j2")])
# What is a number or a boolean, or has more around it that makes it a text.
OTHERS = re.compile(
    r"\b(port|targetPort|nodePort|rate|count|readOnlyRootFilesystem|skipDependencyResolution|cidr|apiVersion|kind|memory|mountPath): "
)


def bare(line: str) -> bool:
    """Whether a line gives a text neither in quotes nor as JSON."""
    value = re.match(r"\s*(?:- )?[A-Za-z][\w./-]*: (?P<value>.*\{\{.*)$", line)
    return bool(value) and not re.match(r"\[?\"|.*\| to_(json|nice_json)\b", value["value"]) and not OTHERS.search(line)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("  name: {{ release }}", True),
        ("  name: {{ release }}-aws", True),
        ('  name: "{{ release }}-aws"', False),
        ("  region: {{ region | to_json }}", False),
        ("    nodePort: {{ port }}", False),
    ],
)
def test_a_bare_text_is_found(line: str, found: bool) -> None:
    assert bare(line) is found


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_every_text_is_in_quotes(template: Path) -> None:
    assert [line.strip() for line in template.read_text().splitlines() if bare(line)] == []
