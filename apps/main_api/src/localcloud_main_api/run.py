"""The life of the process: settings, logs, then HTTP until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud_events import logs
from localcloud_events.settings import BadSettingsError
from localcloud_main_api.settings import load
from localcloud_main_api.web import build_app
from localcloud_web.readiness import Readiness
from localcloud_web.server import CannotListenError, log_libraries, refuse, serve

if TYPE_CHECKING:
    from localcloud_events.lifecycle import Stop

APP = "localcloud_main_api"


def run(stop: Stop) -> int:
    """Serve; give the process's exit code (0, or 2 on bad settings)."""
    try:
        settings = load()
    except BadSettingsError as error:
        return refuse(APP, str(error))
    logs.configure(settings.log_level)
    log = logs.logger(APP)
    log_libraries()
    readiness = Readiness()
    log.info("started", version=settings.version, auxiliary=settings.auxiliary, port=settings.port)
    try:
        serve(build_app(settings, readiness, log), settings, stop, readiness)
    except CannotListenError:
        return refuse(APP, f"PORT: cannot listen on {settings.port}; the log has the cause")
    log.info("stopped")
    return 0
