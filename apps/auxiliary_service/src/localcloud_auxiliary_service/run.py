"""The life of the process: settings, logs, clients, then HTTP until it is told to stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError

from localcloud_auxiliary_service.cloud import build_cloud
from localcloud_auxiliary_service.settings import load
from localcloud_auxiliary_service.web import build_app
from localcloud_events import logs
from localcloud_events.settings import BadSettingsError
from localcloud_web.readiness import Readiness
from localcloud_web.server import CannotListenError, log_libraries, refuse, serve

if TYPE_CHECKING:
    from localcloud_events.lifecycle import Stop

APP = "localcloud_auxiliary_service"


def run(stop: Stop) -> int:
    """Serve; give the process's exit code (0, or 2 on bad settings)."""
    try:
        settings = load()
        logs.configure(settings.log_level)
        log = logs.logger(APP)
        log_libraries()
        cloud = build_cloud(settings)
    except BadSettingsError as error:
        return refuse(APP, str(error))
    except (BotoCoreError, ValueError) as error:
        return refuse(APP, f"AWS SDK's own settings: {error}")
    readiness = Readiness()
    log.info(
        "started",
        version=settings.version,
        endpoint=settings.endpoint or "AWS",
        region=settings.region,
        parameters=settings.parameter_path,
        port=settings.port,
    )
    try:
        serve(build_app(settings, cloud, readiness, log), settings, stop, readiness)
    except CannotListenError:
        return refuse(APP, f"PORT: cannot listen on {settings.port}; the log has the cause")
    log.info("stopped")
    return 0
