# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The kinds of each service. Written by `make generate` from the files beside this one: Ansible packs what is imported."""

from __future__ import annotations

from ..kind import Kind
from . import dynamodb, iam, kms, s3, secretsmanager, sns, sqs, ssm

KINDS: tuple[Kind, ...] = (
    *dynamodb.KINDS,
    *iam.KINDS,
    *kms.KINDS,
    *s3.KINDS,
    *secretsmanager.KINDS,
    *sns.KINDS,
    *sqs.KINDS,
    *ssm.KINDS,
)
