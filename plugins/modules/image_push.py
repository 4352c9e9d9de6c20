#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_push
short_description: Make sure that an archive's image is in a registry
version_added: 0.1.0
description:
  - Looks at the registry first, by the distribution API, and pushes only if the tag is not there or is another image.
  - Images are the same if their configurations have the same digest. How the layers are compressed does not matter.
  - Pushes with skopeo, buildah or docker, whichever the machine has.
  - Credentials are those that C(skopeo login), C(buildah login) or C(docker login) stored; they are never on a command
    line.
options:
  archive:
    description: The file with the image, a docker-archive with exactly one image.
    type: path
    required: true
  destination:
    description: The image's name in the registry, as host[:port]/path:tag.
    type: str
    required: true
  insecure:
    description:
      - Speak plain http or TLS with a certificate that is not trusted, as the registry wants.
      - Docker's daemon needs its setting C(insecure-registries) for that, except for registries on the same machine.
    type: bool
    default: false
  tool:
    description:
      - What to push with. V(auto) takes the first that the machine has.
      - V(skopeo) reads the archive directly. V(buildah) goes through a storage of its own, which is removed afterwards.
      - V(docker) needs its daemon, and leaves the image there under the archive's name and under O(destination).
    type: str
    choices: [auto, skopeo, buildah, docker]
    default: auto
extends_documentation_fragment:
  - localcloud.stack.attributes
attributes:
  check_mode:
    support: full
    details: Looks at the archive and the registry, and reports changed if it would push.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - A registry whose credentials only a credential helper has does not let this module look. Then it always pushes
        and reports changed; layers that are there are not sent again.
      - A registry that takes OCI images only has another configuration than the archive, so it is pushed to each time.
notes:
  - For the look, C(auths) in the files C(auth.json) of the container tools and C(config.json) of docker are read.
    Credential helpers (C(credHelpers), C(credsStore)) are used by the tools only.
seealso:
  - module: localcloud.stack.workload_wait
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Put an application's image into the registry
  localcloud.stack.image_push:
    archive: /var/cache/images/consumer.tar
    destination: registry.example.com/orders/consumer:1

- name: Put it into a registry of the development network, which has no certificate
  localcloud.stack.image_push:
    archive: /var/cache/images/consumer.tar
    destination: localhost:5000/orders/consumer:1
    insecure: true
"""

RETURN = r"""
destination:
  description: The image's full name.
  returned: success
  type: str
  sample: registry.example.com/orders/consumer:1
config_digest:
  description: Digest of the configuration of the archive's image, which is its ID.
  returned: success
  type: str
  sample: sha256:194ea232a17f2758380e4c215304af2c517a99addc3a73d3ddd30b5e45d44ee3
previous_config_digest:
  description: The same of the image that the tag was before. Empty if there was none or we were not let look.
  returned: success
  type: str
  sample: sha256:194ea232a17f2758380e4c215304af2c517a99addc3a73d3ddd30b5e45d44ee3
manifest_digest:
  description:
    - Digest of the manifest that the tag is now, to deploy the image by. In check mode the one that it was before.
    - Empty if the registry does not let us look.
  returned: success
  type: str
  sample: sha256:0a5d5b8d3f4d8c4b0b6a1c3a1a0f0c3d2a7f3a4f3d2f1e0d9c8b7a6958473625
reason:
  description: Why it was pushed or not.
  returned: success
  type: str
  sample: the tag is not there
tool:
  description: What it was or would be pushed with, empty if there was nothing to push.
  returned: success
  type: str
  sample: skopeo
"""

import os
import typing as t
from functools import partial

from ansible_collections.localcloud.stack.plugins.module_utils.common.commands import run_command
from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import own_networks, proxy_exception
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.images.push import TOOLS, Wish, push
from ansible_collections.localcloud.stack.plugins.module_utils.images.sources import parse_reference

SPEC = Spec(
    argument_spec={
        "archive": {"type": "path", "required": True},
        "destination": {"type": "str", "required": True},
        "insecure": {"type": "bool", "default": False},
        "tool": {"type": "str", "choices": ["auto", *TOOLS], "default": "auto"},
    },
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    wish = Wish(**{name: params[name] for name in Wish._fields})
    # An image tool reads the environment's proxies by itself.
    near = proxy_exception(f"https://{parse_reference(wish.destination).host}", os.environ, own_networks())
    return push(wish, check_mode, partial(run_command, environ_update=near))


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
