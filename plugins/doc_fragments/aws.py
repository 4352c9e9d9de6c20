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
      - URL of an AWS emulator, for example V(http://localhost:4566). It is the endpoint of all services.
      - Without it AWS's own rules hold, E(AWS_ENDPOINT_URL_<SERVICE>), E(AWS_ENDPOINT_URL), then O(profile)'s C(services) and
        C(endpoint_url). Where none of them gives an endpoint, real AWS is meant.
      - Proxies from the environment are not used for such an endpoint, and buckets are addressed by path there.
      - With O(access_key), nothing else of the environment and of AWS's configuration files is used, so no profile, no endpoint.
    type: str
    aliases: [aws_endpoint_url]
  region:
    description:
      - AWS region.
      - Falls back on E(AWS_REGION), then E(AWS_DEFAULT_REGION), then on the region of O(profile), where that is used.
    type: str
    aliases: [aws_region]
  access_key:
    description:
      - Access key ID. Must be given together with O(secret_key).
      - Without it the usual boto3 chain applies (environment, O(profile), instance role).
      - Do not use twelve digits with MiniStack or Floci, they take such a key for the account ID.
    type: str
    aliases: [aws_access_key_id, aws_access_key]
  secret_key:
    description: Secret access key that belongs to O(access_key).
    type: str
    aliases: [aws_secret_access_key, aws_secret_key]
  session_token:
    description: Session token of temporary credentials.
    type: str
    aliases: [aws_session_token]
  profile:
    description: Name of a profile in the AWS configuration files. Falls back on E(AWS_PROFILE). Excludes O(access_key).
    type: str
    aliases: [aws_profile]
  validate_certs:
    description: Whether to check certificates. V(false) is for experiments only.
    type: bool
    default: true
  aws_ca_bundle:
    description: File with the certificate authorities to trust. Falls back on E(AWS_CA_BUNDLE). Not used with O(validate_certs=false).
    type: path
  aws_config:
    description:
      - Settings of C(botocore.config.Config) that go before those of the modules, for example C(read_timeout) or C(retries).
    type: dict
requirements:
  - boto3 >= 1.34
notes:
  - Requests time out after 3 seconds for connecting and 10 seconds for reading. By boto3's V(standard) retry mode they are tried
    3 times at an endpoint that is given, and 6 times in real AWS, which throttles. O(aws_config) changes all of that.
"""
