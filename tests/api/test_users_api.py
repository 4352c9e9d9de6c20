"""Every endpoint of a running users API from outside, with good and bad input. What is made here is deleted here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from pictures import bomb, picture


def assert_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status and body["title"] and body["detail"]
    return body


def everybody(api, limit=100):
    """Emails of all users, page by page."""
    cursor, first = None, True
    while first or cursor:
        page = api.get("/users", params={"limit": limit, **({"next": cursor} if cursor else {})}).json()
        yield from (user["email"] for user in page["users"])
        cursor, first = page["next"], False


def test_a_user_is_made_found_and_deleted(api, create, unused):
    email = unused()
    made = create(email, name="Jane Doe")
    assert made.status_code == 201, made.text
    user = made.json()
    assert user["name"] == "Jane Doe" and user["email"] == email and user["avatar_url"] and user["created_at"]
    assert api.get(f"/user/{email}").json() == user
    assert email in everybody(api)
    assert api.get(f"/user/{email}/avatar").content == picture()
    assert api.delete(f"/user/{email}").status_code == 204
    for path in (f"/user/{email}", f"/user/{email}/avatar"):
        assert_problem(api.get(path), 404)
    assert_problem(api.delete(f"/user/{email}"), 404)
    assert email not in everybody(api)


def test_the_avatar_is_where_the_user_says(api, create):
    user = create().json()
    answer = api.get(user["avatar_url"])
    assert answer.status_code == 200 and answer.content == picture()


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_each_kind_of_avatar(api, create, kind, media_type):
    content = picture(kind)
    email = create(avatar=content).json()["email"]
    answer = api.get(f"/user/{email}/avatar")
    assert answer.content == content and answer.headers["content-type"] == media_type
    tag = {"If-None-Match": answer.headers["etag"]}
    assert api.get(f"/user/{email}/avatar", headers=tag).status_code == 304


def test_a_second_user_of_an_address_is_a_conflict(api, create, unused):
    email = unused()
    first = create(email).json()
    assert_problem(create(email.upper(), name="Other"), 409)
    assert api.get(f"/user/{email.upper()}").json() == first


def test_of_many_at_once_one_wins(api, create, unused):
    email = unused()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: create(email, name=f"Ann {number}"), range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    winner = next(answer.json() for answer in answers if answer.status_code == 201)
    assert api.get(f"/user/{email}").json() == winner
    assert api.get(f"/user/{email}/avatar").content == picture()


@pytest.mark.parametrize("name", ["Zoë Ångström", "王小明", "👩‍🚀", "O'Neil", "<script>alert(1)</script>"])
def test_names_of_all_kinds(api, create, name):
    email = create(name=name).json()["email"]
    assert api.get(f"/user/{email}").json()["name"] == name


@pytest.mark.parametrize("prefix", ["a+b", "a/b", "o'neil", "zoë", "a%2fb", "a#b?c"])
def test_addresses_of_all_kinds(api, create, unused, prefix):
    email = f"{prefix}-{unused()}"
    made = create(email)
    assert made.status_code == 201, made.text
    assert api.get(f"/user/{quote(email, safe='')}").json()["email"] == email
    assert api.get(made.headers["location"]).json() == made.json()
    assert api.get(f"/user/{quote(email, safe='')}/avatar").status_code == 200


@pytest.mark.parametrize("email", ["ann", "a b@example.com", "ann@@example.com", "../../x", "ann@example.com\nBcc: x"])
def test_what_is_no_address_is_refused(create, email):
    assert assert_problem(create(email), 422)["errors"][0]["field"] == "email"


def test_addresses_that_are_none_are_refused_in_paths(api):
    assert_problem(api.get("/user/ann"), 422)
    assert_problem(api.delete("/user/ann"), 422)


@pytest.mark.parametrize("content", [b"", b"text", b"<svg/>", picture("GIF"), b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_picture_is_refused(api, create, unused, content):
    email = unused()
    assert_problem(create(email, avatar=content), 415)
    assert_problem(api.get(f"/user/{email}"), 404)


def test_what_is_too_large_is_refused(api, create, unused):
    email = unused()
    # Above the highest limit that the service can be given.
    assert_problem(create(email, avatar=picture() + b"x" * (65 * 2**20)), 413)
    assert_problem(create(email, avatar=bomb()), 413)
    assert_problem(api.get(f"/user/{email}"), 404)


def test_fields_that_are_missing_are_told_together(api):
    body = assert_problem(api.post("/user", files={"other": b"x"}), 422)
    assert [one["field"] for one in body["errors"]] == ["name", "email", "avatar"]


def test_bodies_that_are_no_upload_are_refused(api):
    assert_problem(api.post("/user", json={"name": "Ann"}), 415)
    assert_problem(api.post("/user", content=b"x", headers={"Content-Type": "multipart/form-data"}), 400)


def test_pages_hold_everybody_once(api, create):
    emails = {create().json()["email"] for _number in range(5)}
    seen = list(everybody(api, limit=2))
    assert emails <= set(seen) and len(seen) == len(set(seen))


def test_bad_pages_are_refused(api):
    assert_problem(api.get("/users", params={"next": "nonsense"}), 400)
    assert assert_problem(api.get("/users", params={"limit": 0}), 422)["errors"][0]["field"] == "limit"
    assert assert_problem(api.get("/users", params={"limit": "x"}), 422)["errors"][0]["field"] == "limit"


def test_unknown_paths_and_methods(api):
    assert_problem(api.get("/nothing"), 404)
    wrong = api.put("/user/ann@example.com")
    assert_problem(wrong, 405)
    assert wrong.headers["allow"] == "DELETE, GET"


def test_health_and_metrics(api):
    assert api.get("/healthz").json() == {"status": "live"}
    assert api.get("/readyz").json() == {"status": "ready"}
    assert "localcloud_users_api_requests_total" in api.get("/metrics").text


def test_the_page_of_the_api_comes_whole_from_the_service(api):
    page = api.get("/swagger/")
    assert page.status_code == 200 and "text/html" in page.headers["content-type"] and "://" not in page.text
    for file in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js", "favicon-32x32.png"):
        assert f"{file}" in page.text and api.get(f"/swagger/{file}").status_code == 200
    paths = api.get("/openapi.json").json()["paths"]
    assert {"/users", "/user", "/user/{email}", "/user/{email}/avatar"} <= set(paths)
