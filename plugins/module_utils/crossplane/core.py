# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Crossplane's core brings into a cluster by itself, without any label of ours. Data.

Helm's chart carries the owner's label (customLabels) and goes with its release. The init container creates the rest
(cmd/crossplane/core/init.go of github.com/crossplane/crossplane/v2): the files of cluster/crds and of
cluster/webhookconfigurations, the Lock, and the default DeploymentRuntimeConfig and ManagedResourceActivationPolicy.
"""

from __future__ import annotations

# The module version that the list is taken from; a test holds it equal to the pinned one.
SOURCE_VERSION = "v2.4.0"

# Each file of cluster/crds, as plural.group. Other groups that end in crossplane.io are providers', for example
# releases.helm.crossplane.io and objects.kubernetes.crossplane.io.
DEFINITIONS = frozenset(
    f"{plural}.{group}.crossplane.io"
    for group, plurals in {
        "apiextensions": (
            "compositeresourcedefinitions",
            "compositionrevisions",
            "compositions",
            "environmentconfigs",
            "managedresourceactivationpolicies",
            "managedresourcedefinitions",
            "usages",
        ),
        "ops": ("cronoperations", "operations", "watchoperations"),
        "pkg": (
            "configurationrevisions",
            "configurations",
            "deploymentruntimeconfigs",
            "functionrevisions",
            "functions",
            "imageconfigs",
            "locks",
            "providerrevisions",
            "providers",
        ),
        "protection": ("clusterusages", "usages"),
    }.items()
    for plural in plurals
)

# Of cluster/webhookconfigurations, and that of version 1. Their webhooks call the Service of the Crossplane that made them.
WEBHOOK_CONFIGURATIONS = ("crossplane-no-usages", "crossplane")

# Kind and name of the objects that the init container creates.
INITIAL_OBJECTS = frozenset(
    {
        ("Lock", "lock"),
        ("DeploymentRuntimeConfig", "default"),
        ("ManagedResourceActivationPolicy", "default"),
    }
)

# The name by which Crossplane's own requests appear in managedFields (the binary's).
FIELD_MANAGER = "crossplane"
