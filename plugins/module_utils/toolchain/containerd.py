# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a containerd is configured that keeps images, without Kubernetes, and how its client imports them. Pure: settings in, text out."""

from __future__ import annotations

import json

# What its client is told before the archive, which it reads by itself: less than half the CPU time of containerd's transfer service (2.4.2).
IMPORT = ("images", "import", "--local")
# Plugins that serve Kubernetes alone, or read folders of the host.
UNUSED = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.cri.v1.images",
    "io.containerd.cri.v1.runtime",
    "io.containerd.podsandbox.controller.v1.podsandbox",
    "io.containerd.internal.v1.opt",
    "io.containerd.nri.v1.nri",
)


def images_config(root: str, state: str, socket: str) -> str:
    """The configuration (TOML) of a containerd with these folders, whose client is told `socket`."""
    return f"""version = 4
root = {json.dumps(root)}
state = {json.dumps(state)}
disabled_plugins = {json.dumps(UNUSED)}
[plugins."io.containerd.server.v1.grpc"]
  address = {json.dumps(socket)}
[plugins."io.containerd.server.v1.ttrpc"]
  address = {json.dumps(f"{socket}.ttrpc")}
"""
