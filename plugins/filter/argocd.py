# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters about Argo CD and what it follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.localcloud.stack.plugins.module_utils.argocd import applications as argocd_applications
from ansible_collections.localcloud.stack.plugins.module_utils.argocd import installation as argocd_install
from ansible_collections.localcloud.stack.plugins.module_utils.common.masking import masked
from ansible_collections.localcloud.stack.plugins.plugin_utils import told
from ansible_collections.localcloud.stack.plugins.plugin_utils.values import plain


def argocd_objects(
    upstream: Sequence[Mapping[str, Any]],
    namespace: str,
    images: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Argo CD's own manifests as an embedded node runs them."""
    return argocd_install.install(plain(upstream), namespace, plain(images), plain(settings))


def gitops_environments(
    installed: Mapping[str, Mapping[str, Any]], current: Mapping[str, Any], name: str, repository: str
) -> list[dict[str, Any]]:
    """The environments that follow a repository, by what is remembered of them and the one that a run is about."""
    return argocd_applications.environments(plain(installed), plain(current), name, repository)


def gitops_objects(environments: Sequence[Mapping[str, Any]], namespace: str, owner: str) -> list[dict[str, Any]]:
    """AppProjects and ApplicationSets for environments."""
    return argocd_applications.objects(plain(environments), namespace, owner)


def application_names(environment: Mapping[str, Any]) -> list[str]:
    """The names of an environment's Applications."""
    return argocd_applications.application_names(plain(environment))


def argocd_reference(name: str, kind: str, namespace: str) -> dict[str, str]:
    """What names an object of Argo CD."""
    return {"api_version": argocd_applications.API_VERSION, "kind": kind, "name": str(name), "namespace": namespace}


def render_problem(result: Mapping[str, Any]) -> str:
    """What Helm says of a chart that it can't render, in one line without what looks like a secret."""
    return f"{result['item']['name']}: {masked(' '.join(str(result['stderr']).split()))}"


class FilterModule:
    """Filters about Argo CD."""

    def filters(self) -> dict[str, Any]:
        return told.filters(
            {
                "application_names": application_names,
                "argocd_objects": argocd_objects,
                "gitops_environments": gitops_environments,
                "gitops_objects": gitops_objects,
                "argocd_reference": argocd_reference,
                "render_problem": render_problem,
            }
        )
