# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labels and annotations of declared objects: ours, and those that Crossplane sets or reads."""

from __future__ import annotations

# Whose an object is, and whether it holds data that is to be kept.
OWNER = "localcloud.dev/owner"
# The cluster that an AWS resource is managed from: the UID of its namespace kube-system. A tag, and a label of composites.
CLUSTER = "localcloud.dev/cluster"
PROTECTION = "localcloud.dev/deletion-protection"
# It may take over what AWS has already; which object it belongs to; when Crossplane was last asked to reconcile.
ADOPT = "localcloud.dev/adopt"
PART_OF = "localcloud.dev/part-of"
RECONCILE = "localcloud.dev/reconcile-requested-at"
# The resource versions of the Kubernetes Secrets that an object takes values from: another one means that a value was rotated.
SECRET_VERSIONS = "localcloud.dev/secret-versions"

EXTERNAL_NAME = "crossplane.io/external-name"
COMPOSITE = "crossplane.io/composite"
PAUSED = "crossplane.io/paused"
CREATE_PENDING = "crossplane.io/external-create-pending"
CREATE_SUCCEEDED = "crossplane.io/external-create-succeeded"
CREATE_FAILED = "crossplane.io/external-create-failed"
