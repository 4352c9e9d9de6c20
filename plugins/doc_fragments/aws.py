# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Options shared by the modules that talk to AWS or to an emulator of it."""

    DOCUMENTATION = r"""
options:
  endpoint_url:
    description:
      - URL of an AWS emulator, for example V(http://localhost:4566).
      - Proxies from the environment are not used for an endpoint given here, and buckets are addressed by path.
      - Falls back on the environment variable E(AWS_ENDPOINT_URL). Without either, real AWS is meant.
    type: str
  region:
    description:
      - AWS region.
      - Falls back on E(AWS_REGION), then E(AWS_DEFAULT_REGION), then on the region of O(profile).
    type: str
  access_key:
    description:
      - Access key ID. Must be given together with O(secret_key).
      - Without it the usual boto3 chain applies (environment, O(profile), instance role).
      - Do not use twelve digits with MiniStack or Floci, they take such a key for the account ID.
    type: str
  secret_key:
    description: Secret access key that belongs to O(access_key).
    type: str
  session_token:
    description: Session token of temporary credentials.
    type: str
  profile:
    description: Name of a profile in the AWS configuration files. Excludes O(access_key).
    type: str
requirements:
  - boto3 >= 1.34
notes:
  - Requests time out after 3 seconds for connecting and 10 seconds for reading, and are repeated by boto3's
    V(standard) retry mode.
"""
