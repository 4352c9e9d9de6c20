"""The routes, over an AWS in memory."""

from __future__ import annotations

from itertools import chain

import pytest
from pictures import bomb, phone_picture, picture, png_of
from running import BUCKET, TABLE

from localcloud_web.readiness import Readiness

PROBLEM = "application/problem+json"


def assert_problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    body = answer.json()
    assert body["status"] == status and body["title"] and body["detail"] and body["type"] == "about:blank"
    return body


def test_a_user_comes_back_as_it_was_made(api, post, aws):
    made = post(api, email="Ann.Lee@Example.COM", name="  Ann Lee ")
    assert made.status_code == 201
    user = made.json()
    assert user["email"] == "ann.lee@example.com" and user["name"] == "Ann Lee"
    assert user["avatar_url"] == "http://testserver/user/ann.lee@example.com/avatar"
    assert made.headers["location"] == "http://testserver/user/ann.lee@example.com"
    assert api.get("/user/ANN.LEE@example.com").json() == user
    assert api.get("/users").json() == {"users": [user], "next": None}
    (key,) = aws.keys()
    assert key.startswith(f"avatars/{TABLE}/") and key.endswith(".png")
    assert api.delete("/user/ann.lee@example.com").status_code == 204
    assert aws.keys() == [] and aws.emails() == []
    assert_problem(api.get("/user/ann.lee@example.com"), 404)
    assert_problem(api.delete("/user/ann.lee@example.com"), 404)
    assert_problem(api.get("/user/ann.lee@example.com/avatar"), 404)


@pytest.mark.parametrize(("kind", "media_type"), [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")])
def test_avatars_come_back_byte_by_byte_and_do_nothing_in_a_browser(api, post, kind, media_type):
    content = picture(kind)
    url = post(api, avatar=content).json()["avatar_url"]
    answer = api.get(url)
    assert answer.content == content and answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    again = api.get(url, headers={"If-None-Match": f'"other", W/{answer.headers["etag"]}'})
    assert again.status_code == 304 and again.content == b""


def test_a_phones_jpeg_is_a_jpeg(api, post, aws):
    content = phone_picture()
    answer = api.get(post(api, avatar=content).json()["avatar_url"])
    assert answer.content == content and answer.headers["content-type"] == "image/jpeg"
    assert aws.keys()[0].endswith(".jpg")
    # Its index may be broken: the first picture is there nevertheless.
    broken = content.replace(b"MPF\0II*\0", b"MPF\0XX*\0")
    assert broken != content
    with pytest.warns(UserWarning, match="malformed MPO"):
        assert post(api, email="bob@example.com", avatar=broken).status_code == 201


def test_a_second_post_of_an_address_is_a_conflict_and_changes_nothing(api, post, aws):
    first = post(api).json()
    keys = aws.keys()
    assert_problem(post(api, email="ANN@example.com", name="Other"), 409)
    assert aws.keys() == keys and api.get("/user/ann@example.com").json() == first


@pytest.mark.parametrize(
    "name", ["Zoë Ångström", "王小明", "👩‍🚀 Ann", "O'Neil; DROP TABLE users", "<b>Ann</b>", "x" * 200]
)
def test_names_of_all_kinds(api, post, name):
    assert post(api, name=name).json()["name"] == name
    assert api.get("/users").json()["users"][0]["name"] == name


def test_a_name_has_one_form(api, post):
    assert post(api, name="Zoe\u0308").json()["name"] == "Zo\u00eb"


@pytest.mark.parametrize(
    "email", ["a/b@example.com", "a+b@example.com", "ann@bücher.example", "o'neil@example.com",
              "{x}@example.com", "avatar@example.com", "zoë@example.com", "a#b?c@example.com"]
)  # fmt: skip
def test_addresses_of_all_kinds_have_paths(api, post, email):
    made = post(api, email=email)
    assert made.status_code == 201, made.text
    assert api.get(made.headers["location"]).json() == made.json()
    assert api.get(made.json()["avatar_url"]).status_code == 200
    assert api.delete(made.headers["location"]).status_code == 204


@pytest.mark.parametrize(
    "email", ["", "ann", "@example.com", "ann@", "a b@example.com", "ann@example", "ann@@example.com",
              "../../etc/passwd", "ann@example.com\r\nBcc: x@example.com", "ann@" + "a" * 300 + ".com",
              '"a b"@example.com', "ann@[127.0.0.1]", "ann@example.com\0", "Ann <ann@example.com>"]
)  # fmt: skip
def test_what_is_no_address_is_refused_without_being_repeated(api, post, aws, email):
    body = assert_problem(post(api, email=email), 422)
    assert [one["field"] for one in body["errors"]] == ["email"]
    assert aws.keys() == [] and aws.emails() == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\0b"])
def test_what_is_no_name_is_refused(api, post, aws, name):
    body = assert_problem(post(api, name=name), 422)
    assert [one["field"] for one in body["errors"]] == ["name"]
    assert aws.keys() == []


def test_all_that_is_wrong_with_a_user_is_told_together(api):
    body = assert_problem(api.post("/user", files={"other": b"x"}), 422)
    assert [one["field"] for one in body["errors"]] == ["name", "email", "avatar"]


@pytest.mark.parametrize(
    "content", [b"", b"x", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 ",
                picture("GIF"), picture("BMP"), picture()[:-20], picture("JPEG")[:12],
                picture().replace(b"IDAT", b"IDAX")]
)  # fmt: skip
def test_what_is_no_picture_is_refused(api, post, aws, content):
    assert_problem(post(api, avatar=content), 415)
    assert aws.keys() == [] and aws.emails() == []


def test_a_decompression_bomb_is_refused(api, post, aws):
    assert len(bomb()) < 10_000
    assert_problem(post(api, avatar=bomb()), 413)
    assert aws.keys() == []


def test_the_limit_is_exact(serve, post, aws):
    api = serve(max_avatar_bytes=2000)
    assert post(api, avatar=png_of(2000)).status_code == 201
    assert_problem(post(api, email="bob@example.com", avatar=png_of(2001)), 413)
    assert aws.emails() == ["ann@example.com"] and len(aws.keys()) == 1


def test_an_avatar_larger_than_the_memory_for_it_is_stored(serve, post):
    api = serve(max_avatar_bytes=2_000_000)
    content = png_of(1_500_000)
    assert api.get(post(api, avatar=content).json()["avatar_url"]).content == content


def test_bodies_that_are_no_upload(api):
    assert_problem(api.post("/user", json={"name": "Ann"}), 415)
    assert_problem(api.post("/user"), 415)
    assert_problem(api.post("/user", content=b"x", headers={"Content-Type": "multipart/form-data"}), 400)
    broken = {"Content-Type": "multipart/form-data; boundary=b"}
    assert_problem(api.post("/user", content=b"--b\r\nContent-Disposition: x\r\n\r\n", headers=broken), 400)
    assert_problem(api.post("/user", content=b"nothing of it", headers=broken), 400)
    two = [("avatar", ("a", picture())), ("avatar", ("b", picture()))]
    assert_problem(api.post("/user", data={"name": "A", "email": "a@example.com"}, files=two), 400)
    assert_problem(api.post("/user", data={"name": "A" * 5000}, files={"avatar": b"x"}), 400)


def test_an_avatar_that_is_text_is_no_file(api):
    fields = {"name": (None, "Ann"), "email": (None, "ann@example.com"), "avatar": (None, "text")}
    assert assert_problem(api.post("/user", files=fields), 422)["errors"][0]["field"] == "avatar"


def test_pages_hold_everybody_once(api, post):
    emails = {f"user{number}@example.com" for number in range(7)}
    for email in emails:
        post(api, email=email)
    seen, cursor, pages = [], None, 0
    while pages == 0 or cursor:
        page = api.get("/users", params={"limit": 3, **({"next": cursor} if cursor else {})}).json()
        seen += [user["email"] for user in page["users"]]
        cursor, pages = page["next"], pages + 1
    assert sorted(seen) == sorted(emails) and pages == 3


def walk(api, limit):
    """Read all pages; give them."""
    pages, cursor = [], None
    while not pages or cursor:
        answer = api.get("/users", params={"limit": limit, **({"next": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        pages.append([user["email"] for user in answer.json()["users"]])
        cursor = answer.json()["next"]
    return pages


def put_foreign(aws, *keys):
    for key in keys:
        aws.dynamodb.put_item(TableName=TABLE, Item={"email": {"S": key}, "total": {"N": "1"}})


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_items_of_others_do_not_end_a_listing(api, post, aws, limit):
    put_foreign(aws, "no address", "Not@Normal.example")
    for number in range(4):
        post(api, email=f"user{number}@example.com")
        put_foreign(aws, *(f"foreign {number} {place}" for place in range(5)))
    pages = walk(api, limit)
    assert sorted(chain.from_iterable(pages)) == [f"user{number}@example.com" for number in range(4)]
    assert {len(page) for page in pages[:-1]} <= {limit}, "only the last page is shorter"


def test_a_listing_that_takes_long_goes_on_behind_items_of_others(monkeypatch, api, post, aws):
    monkeypatch.setattr("localcloud_users_api.store.READING", -1.0)
    put_foreign(aws, *(f"no address {number}" for number in range(4)))
    post(api)
    pages = walk(api, 1)
    assert list(chain.from_iterable(pages)) == ["ann@example.com"] and [] in pages[:-1]


def test_the_last_page_knows_itself(api, post):
    for number in range(3):
        post(api, email=f"user{number}@example.com")
    assert api.get("/users", params={"limit": 3}).json()["next"] is None


@pytest.mark.parametrize("cursor", ["", "x", "####", "bm8gYWRkcmVzcw", "QU5OQGV4YW1wbGUuY29t", "w6k", "é", "a" * 5000,
                                    ".", ".x", ".YW5uQGV4YW1wbGUuY29t", "." + "YWFh" * 1000])  # fmt: skip
def test_bad_cursors(api, cursor):
    assert_problem(api.get("/users", params={"next": cursor}), 400)


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "1.5", ""])
def test_bad_limits(api, limit):
    body = assert_problem(api.get("/users", params={"limit": limit}), 422)
    assert body["errors"][0]["field"] == "limit"


def test_items_of_others_are_not_users(api, aws):
    aws.dynamodb.put_item(TableName=TABLE, Item={"email": {"S": "probe@example.com"}})
    assert api.get("/users").json() == {"users": [], "next": None}
    assert_problem(api.get("/user/probe@example.com"), 404)
    assert api.delete("/user/probe@example.com").status_code == 204


def test_an_avatar_that_somebody_took_away(api, post, aws):
    url = post(api).json()["avatar_url"]
    aws.s3.delete_object(Bucket=BUCKET, Key=aws.keys()[0])
    assert_problem(api.get(url), 404)


def test_unknown_paths_and_methods(api):
    assert_problem(api.get("/"), 404)
    assert_problem(api.get("/users/"), 404)
    wrong = api.put("/user/ann@example.com")
    assert_problem(wrong, 405)
    assert wrong.headers["allow"] == "DELETE, GET"
    assert_problem(api.get("/user"), 405)
    for method in ("DELETE", "PUT", "OPTIONS"):
        wrong = api.request(method, "/user/ann@example.com/avatar")
        assert_problem(wrong, 405)
        assert wrong.headers["allow"] == "GET"
    assert_problem(api.get("/user/ann"), 422)
    assert_problem(api.delete("/user/ann"), 422)


def test_a_bug_is_told_with_a_number_and_without_its_text(serve, store):
    class Broken:
        check = staticmethod(lambda: None)

        def page(self, *_arguments):
            raise RuntimeError("secret")

    answer = serve(store=Broken()).get("/users", headers={"X-Request-ID": "abc"})
    assert_problem(answer, 500)
    assert "secret" not in answer.text and answer.headers["x-request-id"] == "abc"


def test_a_request_id_that_is_none_is_replaced(api):
    assert api.get("/healthz", headers={"X-Request-ID": "a b"}).headers["x-request-id"] != "a b"


def test_health_and_metrics(api, post):
    post(api)
    assert api.get("/healthz").json() == {"status": "live"}
    text = api.get("/metrics").text
    assert 'localcloud_users_api_requests_total{method="POST",route="/user",status="201"} 1.0' in text
    assert "ann@" not in text


def test_draining_says_so(serve):
    readiness = Readiness()
    api = serve(readiness=readiness)
    readiness.drain()
    answer = api.get("/readyz")
    assert_problem(answer, 503)
    assert "stopping" in answer.text and answer.headers["connection"] == "close" and answer.headers["retry-after"]
    assert api.get("/healthz").status_code == 200


def test_the_page_of_the_api_needs_nobody_else(api):
    redirect = api.get("/swagger", follow_redirects=False)
    assert redirect.status_code == 307 and redirect.headers["location"] == "swagger/"
    page = api.get("/swagger/")
    assert "http" not in page.text and "default-src 'self'" in page.headers["content-security-policy"]
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png", "start.js"):
        assert api.get(f"/swagger/{name}").status_code == 200


def test_the_description_is_whole(api):
    description = api.get("/openapi.json").json()
    assert set(description["paths"]) == {"/users", "/user", "/user/{email}", "/user/{email}/avatar",
                                         "/healthz", "/readyz", "/metrics"}  # fmt: skip
    text = api.get("/openapi.json").text
    assert "HTTPValidationError" not in text and {"Problem", "FieldError", "UserOut", "UserPage"} <= set(
        description["components"]["schemas"]
    )


def test_presigned_addresses_lead_to_s3(serve, post):
    api = serve(avatar_urls="presigned")
    url = post(api).json()["avatar_url"]
    assert BUCKET in url and "Signature" in url
    assert api.get("/users").json()["users"][0]["avatar_url"].startswith("https://")
