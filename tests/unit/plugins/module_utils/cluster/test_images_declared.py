"""Images as a blueprint declares them: every mistake is found, with its path, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.localcloud.stack.plugins.module_utils.cluster.images_declared import (
    declared_images,
    full_reference,
    image_problems,
)
from ansible_collections.localcloud.stack.plugins.module_utils.toolchain.parts import application_images, project_parts
from hypothesis import given
from hypothesis import strategies as st

PROJECT = Path(__file__).resolve().parents[5]
PARTS = application_images(project_parts(PROJECT))
DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("web/Dockerfile", "web/requirements.txt", "web/src/app.py", "other/Dockerfile", "saved.tar"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def filled(value: Any, folder: Path) -> Any:
    """The value with the folder's path in place of an @."""
    if isinstance(value, dict):
        return {key: filled(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, folder) for one in value]
    return value.replace("~", str(folder)) if isinstance(value, str) else value


GOOD: list[dict[str, Any]] = [
    {"build": {"context": "~/web"}},
    {"build": {"context": "~/web", "dockerfile": "~/other/Dockerfile", "arguments": {"A": 1, "B": "x", "C": True}}},
    {"build": {"context": "~/web", "requirements": "~/web/requirements.txt", "sources": ["~/web/src"]}},
    {
        "build": {"context": "~/web", "requirements": "requirements.txt", "sources": ["src"]},
        "published": "r.example/web:1",
    },
    {"archive": "~/saved.tar"},
    {"pull": "nginx"},
    {"pull": f"localhost:5000/a/b:1@{DIGEST}", "published": "b"},
    {"part": "users-api"},
]
BAD: list[tuple[Any, str]] = [
    (None, "images.web: is empty, but must be a map with one of build, archive, pull, part."),
    ({}, "images.web: says not where the image comes from. Give one of build, archive, pull, part."),
    (
        {"build": {"context": "~/web"}, "pull": "nginx"},
        "images.web: built and pulled at the same time. Keep one of build, pull.",
    ),
    ({"pul": "nginx", "part": "consumer"}, "images.web.pul: is not known; did you mean pull?"),
    ({"build": "~/web"}, "images.web.build: is a text, but must be a map with the folder to build from as context."),
    (
        {"build": {"contexts": "~/web", "context": "~/web"}},
        "images.web.build.contexts: is not known; did you mean context?",
    ),
    (
        {"build": {"context": "web"}},
        "images.web.build.context: is a text, but must be the absolute path of the folder to build from.",
    ),
    ({"build": {"context": "~/none"}}, "images.web.build.context: there is no folder ~/none."),
    ({"build": {"context": "~/web/src"}}, "images.web.build.dockerfile: there is no ~/web/src/Dockerfile."),
    (
        {"build": {"context": "~/web", "dockerfile": "src"}},
        "images.web.build.dockerfile: ~/web/src is not a file.",
    ),
    (
        {"build": {"context": "~/web", "requirements": "../saved.tar"}},
        "images.web.build.requirements: ../saved.tar is not in the folder ~/web, which is all that a build sees.",
    ),
    ({"build": {"context": "~/web", "sources": "src"}}, "images.web.build.sources: is a text, but must be a list of paths in ~/web."),
    ({"build": {"context": "~/web", "sources": ["src", "no"]}}, "images.web.build.sources[1]: there is no ~/web/no."),
    ({"build": {"context": "~/web", "arguments": {"A": []}}}, "images.web.build.arguments.A: is a list, but must be a text or a number."),
    ({"build": {"context": "~/web", "arguments": {"A-B": 1}}}, "images.web.build.arguments.A-B: is not a name that ARG takes."),
    (
        {"archive": "~/none.tar"},
        "images.web.archive: there is no archive ~/none.tar. Make one with `docker save` or `skopeo copy`, or correct the path.",
    ),
    ({"pull": "https://r.example/web"}, "images.web.pull: 'https://r.example/web' is not a reference of an image. Leave the scheme out."),
    ({"pull": "Web:1"}, "images.web.pull: 'Web:1' is not a reference of an image. It is [host[:port]/]path[:tag][@sha256:…]."),
    ({"pull": "a:1", "published": 1}, "images.web.published: is a number, but must be an image's reference, for example registry.example.com/orders/web:1.2."),
    ({"part": "consumers"}, "images.web.part: 'consumers' is not an image of the toolchain; did you mean consumer?"),
]  # fmt: skip


@pytest.mark.parametrize("image", GOOD)
def test_what_may_be_said(folder: Path, image: dict[str, Any]) -> None:
    images = filled({"web": image}, folder)
    assert image_problems(images, "images", PARTS) == []
    (declared,) = declared_images(images)
    assert declared.name == "web"
    assert declared.way in image
    if declared.build:
        assert all(path.is_absolute() for path in (declared.build.dockerfile, *declared.build.sources))


@pytest.mark.parametrize(("image", "problem"), BAD)
def test_what_is_wrong(folder: Path, image: Any, problem: str) -> None:
    assert image_problems(filled({"web": image}, folder), "images", PARTS) == [problem.replace("~", str(folder))]


def test_all_at_once(folder: Path) -> None:
    images = {f"web{index}": filled(image, folder) for index, (image, _says) in enumerate(BAD)}
    assert len(image_problems(images, "images", PARTS)) == len(BAD)
    assert image_problems([], "orders.yml: images", PARTS) == [
        "orders.yml: images: is a list, but must be a map of an image's name to where it comes from."
    ]
    assert "the name must be" in image_problems({"Web": {"part": "consumer"}}, "images", PARTS)[0]
    assert "the name must be" in image_problems({"a/../b": {"part": "consumer"}}, "images", PARTS)[0]


def test_a_password_is_not_repeated() -> None:
    (problem,) = image_problems({"web": {"pull": "https://me:secret@r.example/web"}}, "images", PARTS)
    assert "secret" not in problem
    assert "skopeo login" in problem


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("me/web:2", "docker.io/me/web:2"),
        ("docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("localhost/web", "localhost/web:latest"),
        ("r.example:5000/a/b:1", "r.example:5000/a/b:1"),
        (f"r.example/b:1@{DIGEST}", f"r.example/b@{DIGEST}"),
        ("r.example/b@sha256:12", None),
        ("a//b", None),
        ("", None),
        ("nginx\n", None),
    ],
)
def test_references_are_completed(text: str, full: str | None) -> None:
    assert full_reference(text) == full


def test_two_declarations_of_one_name_have_results_of_their_own(folder: Path) -> None:
    keys = [declared_images(filled({"web": image}, folder))[0].key for image in GOOD]
    # Three of them build the same Dockerfile of the same folder.
    assert keys[0] == keys[2] == keys[3]
    assert len(set(keys)) == len(keys) - 2


def test_parts_are_images_of_the_toolchain() -> None:
    parts = project_parts(PROJECT)
    assert all("image" in parts[name].spec for name in PARTS)
    assert {"users-api", "event-pipeline"} <= set(PARTS)
    assert not {"helm", "etcd-image"} & set(PARTS)
    assert not [name for name in parts if name.startswith("image-")]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["build", "archive", "pull", "part", "published", "context", "dockerfile", "sources", "arguments"]), inner, max_size=4
    ),
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=2) | VALUES)
def test_nonsense_never_raises(images: Any) -> None:
    problems = image_problems(images, "images", PARTS)
    assert all(problem.startswith("images") for problem in problems)
