"""The HTTP API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.routing import APIRoute
from prometheus_client import Counter
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.responses import Response

from localcloud_events.calls import Calls
from localcloud_events.problems import PROBLEMS
from localcloud_users_api import __version__, errors
from localcloud_users_api.images import recognise
from localcloud_users_api.links import Links, user_path
from localcloud_users_api.model import User, UserOut, UserPage, decode_cursor, encode_cursor, normalise_email
from localcloud_users_api.settings import Settings
from localcloud_users_api.store import Store, avatar_tag
from localcloud_users_api.upload import Room, Upload, announced, parser_for_this_machine, read_upload
from localcloud_web.observe import Metrics
from localcloud_web.outages import explain
from localcloud_web.pool import Pool
from localcloud_web.problem import FieldError, invalid
from localcloud_web.readiness import Readiness
from localcloud_web.routes import complete, json_response, problems

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

PAGE, LARGEST_PAGE = 50, 100
AVATAR = "/avatar"
# An avatar is shown by browsers, and does nothing there whatever it is.
INERT = "default-src 'none'; sandbox"
UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["name", "email", "avatar"],
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "maxLength": 200, "example": "Jane Doe"},
                        "email": {"type": "string", "format": "email", "example": "jane@example.com"},
                        "avatar": {"type": "string", "format": "binary", "description": "A PNG, JPEG or WebP."},
                    },
                }
            }
        },
    }
}


class UsersMetrics(Metrics):
    """Those of requests, and of the sweep."""

    def __init__(self) -> None:
        super().__init__("localcloud_users_api")
        self.calls = Calls(self.registry)
        self.swept = Counter(
            "localcloud_users_api_orphaned_avatars_removed", "Avatars without a user removed.", registry=self.registry
        )


@dataclass(frozen=True, slots=True)
class Service:
    """What the routes work with."""

    settings: Settings
    store: Store
    pool: Pool
    links: Links
    readiness: Readiness
    metrics: UsersMetrics
    log: FilteringBoundLogger

    def shown(self, user: User, base: str) -> UserOut:
        """Make what is shown of a user."""
        url = (
            self.store.presigned(user)
            if self.settings.avatar_urls == "presigned"
            else f"{base}{user_path(user.email)}/avatar"
        )
        return UserOut(name=user.name, email=user.email, avatar_url=url, created_at=user.created_at)

    def explain(self, error: BaseException) -> dict[str, str]:
        """Explain a failure of AWS as fields of a log line."""
        return explain(error, self.settings.endpoint)

    def list(self, limit: int, after: str | None, base: str) -> bytes:
        """Give a page as JSON; blocks."""
        users, last = self.store.page(limit, after)
        page = UserPage(users=[self.shown(user, base) for user in users], next=encode_cursor(last) if last else None)
        return to_json(page)

    def get(self, email: str, base: str) -> bytes:
        """Give a user as JSON; blocks."""
        return to_json(self.shown(self.store.get(email), base))

    def create(self, upload: Upload, base: str) -> bytes:
        """Store a user and give it as JSON; blocks."""
        kind = recognise(upload.avatar)
        return to_json(self.shown(self.store.create(upload.user, upload.avatar, kind), base))


class PlainRoute(APIRoute):
    """A route whose endpoint is given the request and the path's parameters as they are, if it takes no others.

    With nothing to resolve and validate, that saves a tenth of the time of a short request.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Give what answers a request."""
        endpoint, request_name = self.endpoint, self.dependant.request_param_name
        if request_name is None or self.dependant.query_params:
            return super().get_route_handler()

        async def handle(request: Request) -> Response:
            answer: Response = await endpoint(**{request_name: request}, **request.path_params)
            return answer

        return handle


def build_app(
    settings: Settings,
    store: Store,
    readiness: Readiness,
    log: FilteringBoundLogger,
    metrics: UsersMetrics | None = None,
) -> FastAPI:
    """Make the ASGI application, with metrics of its own unless they are given."""
    service = Service(
        settings,
        store,
        Pool(settings.aws_concurrency),
        Links(settings.public_url, settings.trusted_networks),
        readiness,
        metrics or UsersMetrics(),
        log,
    )
    app = FastAPI(
        title="Users API",
        version=__version__,
        description="Users with avatars. DynamoDB holds the users, S3 the avatars. Errors are problems (RFC 9457).",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan(service),
    )
    app.router.route_class = PlainRoute
    _add_routes(app, service)
    errors.add_handlers(app, settings, log)
    complete(app, readiness, service.metrics, log)
    return app


def _lifespan(service: Service) -> Callable[[FastAPI], Any]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(service.readiness.watch(service.store.check, PROBLEMS, service.explain, service.log)),
            asyncio.create_task(_sweep(service)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            service.pool.close()

    return lifespan


async def _sweep(service: Service) -> None:
    """Remove orphaned avatars each `sweep_interval`; the first time after one, since pods start together."""
    while service.settings.sweep_interval:
        await asyncio.sleep(service.settings.sweep_interval)
        try:
            removed = await asyncio.to_thread(service.store.sweep, datetime.now(UTC))
        except PROBLEMS as error:
            service.log.warning("sweep failed", **explain(error, service.settings.endpoint))
            continue
        service.metrics.swept.inc(removed)
        service.log.info("swept", orphaned_avatars_removed=removed)


def _add_routes(app: FastAPI, service: Service) -> None:  # noqa: C901
    run, links = service.pool.run, service.links

    @app.get("/users", response_model=UserPage, responses=problems(400, 422, 503), tags=["users"])
    async def list_users(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=LARGEST_PAGE)] = PAGE,
        next: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    ) -> Response:
        """List users, a page at a time."""
        after = None if next is None else decode_cursor(next)
        return json_response(await run(service.list, limit, after, links.base(request)))

    @app.post(
        "/user",
        status_code=201,
        response_model=UserOut,
        responses=problems(400, 408, 409, 413, 415, 422, 503),
        openapi_extra=UPLOAD,
        tags=["users"],
    )
    async def create_user(request: Request) -> Response:
        """Create a user. An address that has a user already is a conflict; delete that user first."""
        base = links.base(request)
        with room.taken(announced(request, limit)):
            upload = await read_upload(request, limit, parser)
            try:
                content = await run(service.create, upload, base)
            finally:
                upload.avatar.close()
        return json_response(content, 201, {"Location": f"{base}{user_path(upload.user.email)}"})

    limit, parser = service.settings.max_avatar_bytes, parser_for_this_machine()
    room = Room(limit)

    # Before the next one, whose parameter takes all there is: a local part may have slashes.
    @app.get(
        "/user/{email:path}/avatar",
        response_class=Response,
        responses={
            200: {"content": {"image/png": {}, "image/jpeg": {}, "image/webp": {}}, "description": "The avatar."},
            304: {"description": "Still the one of If-None-Match."},
            **problems(404, 422, 503),
        },
        tags=["users"],
    )
    async def get_avatar(request: Request, email: str) -> Response:
        """Get a user's avatar."""
        user = await run(service.store.get, _address(email))
        headers = {"ETag": avatar_tag(user), "Cache-Control": "no-cache", "Content-Security-Policy": INERT}
        if headers["ETag"] in _tags(request):
            return Response(status_code=304, headers=headers)
        avatar = await run(service.store.avatar, user)
        return Response(avatar.content, headers=headers, media_type=avatar.media_type)

    @app.get("/user/{email:path}", response_model=UserOut, responses=problems(404, 422, 503), tags=["users"])
    async def get_user(request: Request, email: str) -> Response:
        """Get one user."""
        return json_response(await run(service.get, _address(email), links.base(request)))

    @app.delete("/user/{email:path}", status_code=204, responses=problems(404, 422, 503), tags=["users"])
    async def delete_user(email: str) -> Response:
        """Delete a user and the avatar."""
        if email.endswith(AVATAR):
            # No address ends so: it is the avatar's path, which has no such method.
            raise HTTPException(405)
        await run(service.store.delete, _address(email))
        return Response(status_code=204)


def _address(text: str) -> str:
    try:
        return normalise_email(text)
    except ValueError as error:
        raise invalid([FieldError(field="email", message=str(error))]) from None


def _tags(request: Request) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
