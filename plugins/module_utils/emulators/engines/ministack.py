# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""MiniStack, a small free substitute for LocalStack that can keep its data, and runs as a process as well."""

from __future__ import annotations

from ..engine import Choice, Container, Engine, Local, Process, Signs, Wanted

# tests/unit/plugins/module_utils/emulators/test_registry.py compares it with requirements/ministack.in.
VERSION = "1.5.33"


def _environment(wanted: Wanted) -> dict[str, str]:
    kept = "1" if wanted.persistent else "0"
    return {
        "GATEWAY_PORT": "4566",
        "MINISTACK_REGION": wanted.region,
        "AWS_DEFAULT_REGION": wanted.region,
        "HOME": "/tmp",
        "PERSIST_STATE": kept,
        "S3_PERSIST": kept,
        "STATE_DIR": "/data/state",
        "S3_DATA_DIR": "/data/s3",
    }


def _process_environment(local: Local) -> dict[str, str]:
    return {
        # supervised_process puts the port in.
        "GATEWAY_PORT": "{port}",
        "BIND_HOST": local.address,
        "MINISTACK_REGION": local.region,
        "AWS_DEFAULT_REGION": local.region,
        "PERSIST_STATE": "1",
        "S3_PERSIST": "1",
        "STATE_DIR": f"{local.data}/state",
        "S3_DATA_DIR": f"{local.data}/s3",
    }


ENGINE = Engine(
    name="ministack",
    title="MiniStack",
    place="cluster",
    choices=(
        Choice(
            "`ministack`",
            "MiniStack, a small free substitute",
            "kept on a volume in the embedded node, as of its last orderly stop",
            "CI, small laptops, speed",
        ),
    ),
    container=Container(
        part="ministack",
        image=lambda wanted: f"ministackorg/ministack:{VERSION}",
        environment=_environment,
        scratch=("/tmp",),
        data="/data",
        read_only=True,
    ),
    process=Process("requirements/ministack.txt", "ministack.app", _process_environment),
    signs=Signs(key="ready_scripts", page="/_ministack/health"),
    # It writes when it gets SIGTERM, and not before.
    kept="It keeps what it had at its last orderly stop: if it was killed (kill -9, out of memory, a power cut), all that came after that is lost.",
    free="MiniStack (localstack_service_engine=ministack)",
)
