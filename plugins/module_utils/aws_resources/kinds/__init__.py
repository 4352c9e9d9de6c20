# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of each service. `make generate` writes this from the files beside it, as Ansible packs only what is imported."""

from __future__ import annotations

from ..kind import Kind

# generated: imports
from . import (
    cloudwatch,
    dynamodb,
    ecr,
    events,
    iam,
    iam_instance_profiles,
    iam_oidc,
    iam_users,
    kinesis,
    kms,
    logs,
    s3,
    secretsmanager,
    sns,
    sqs,
    ssm,
)

# end of imports

KINDS: tuple[Kind, ...] = (
    # generated: kinds
    *cloudwatch.KINDS,
    *dynamodb.KINDS,
    *ecr.KINDS,
    *events.KINDS,
    *iam.KINDS,
    *iam_instance_profiles.KINDS,
    *iam_oidc.KINDS,
    *iam_users.KINDS,
    *kinesis.KINDS,
    *kms.KINDS,
    *logs.KINDS,
    *s3.KINDS,
    *secretsmanager.KINDS,
    *sns.KINDS,
    *sqs.KINDS,
    *ssm.KINDS,
    # end of kinds
)
