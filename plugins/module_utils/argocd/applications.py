# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Argo CD follows: an ApplicationSet for each service, an Application and a project for each environment. Pure.

An environment is a map of C(environment) (its name), C(namespace), C(repository), C(branch) and C(services): maps of C(name), C(path)
(the chart's folder in the repository), C(value_files) and C(values), by name what the files in the repository do not say.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.annotations import OWNER

with contextlib.suppress(ImportError):  # missing_packages() names what is not there
    import yaml

Json = dict[str, t.Any]

API_VERSION = "argoproj.io/v1alpha1"
IN_CLUSTER = "https://kubernetes.default.svc"
ENVIRONMENT = "localcloud.dev/environment"
# With it Argo CD deletes what an Application consists of before the Application goes.
CASCADE = "resources-finalizer.argocd.argoproj.io"


def overlay(values: Json, files: t.Sequence[Json]) -> Json:
    """What values say that the files, of which later ones win, do not. A list counts as a whole, as Helm has it."""
    known: Json = {}
    for one in files:
        known = _merged(known, one)
    return _difference(values, known)


def _merged(first: Json, second: Json) -> Json:
    both = {key: _merged(first[key], one) for key, one in second.items() if _are_maps(first.get(key), one)}
    return {**first, **second, **both}


def _difference(values: Json, known: Json) -> Json:
    found: Json = {}
    for key, one in values.items():
        if _are_maps(one, known.get(key)):
            if inner := _difference(one, known[key]):
                found[key] = inner
        elif key not in known or known[key] != one:
            found[key] = one
    return found


def _are_maps(first: object, second: object) -> bool:
    return isinstance(first, dict) and isinstance(second, dict)


def environments(installed: t.Mapping[str, Json], current: Json, name: str, repository: str) -> list[Json]:
    """All environments that are installed by entries of blueprints, with the present one as it is now; sorted.

    current: the blueprint's entry, whose C(gitops) may be empty. name: its name. repository: where those without a URL have theirs.
    """
    entries = {**installed, name: current} if name else installed
    found = [dict(entry["gitops"]) for entry in entries.values() if entry.get("gitops")]
    return sorted(
        ({**one, "repository": one.get("repository") or repository} for one in found),
        key=lambda one: str(one["environment"]),
    )


def objects(all_environments: t.Sequence[Json], namespace: str, owner: str) -> list[Json]:
    """AppProjects and ApplicationSets for these environments, in Argo CD's namespace."""
    return [
        *(_project(one, namespace, owner) for one in all_environments),
        *(
            _application_set(name, all_environments, namespace, owner)
            for name in sorted({service["name"] for one in all_environments for service in one["services"]})
        ),
    ]


def application_names(environment: Json) -> list[str]:
    """The names of an environment's Applications."""
    return [_application_name(one["name"], environment["environment"]) for one in environment["services"]]


def _application_name(service: str, environment: str) -> str:
    return f"{service}-{environment}"


def _project(environment: Json, namespace: str, owner: str) -> Json:
    """An environment's project: its Applications get their sources and destination from nowhere else, and make nothing cluster-wide."""
    return {
        "apiVersion": API_VERSION,
        "kind": "AppProject",
        "metadata": {"name": environment["environment"], "namespace": namespace, "labels": {OWNER: owner}},
        "spec": {
            "description": f"The environment {environment['environment']}",
            "sourceRepos": [environment["repository"]],
            "destinations": [{"server": IN_CLUSTER, "namespace": environment["namespace"]}],
            "namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
        },
    }


def _application_set(name: str, all_environments: t.Sequence[Json], namespace: str, owner: str) -> Json:
    elements = [
        _element(one, service) for one in all_environments for service in one["services"] if service["name"] == name
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "ApplicationSet",
        "metadata": {"name": name, "namespace": namespace, "labels": {OWNER: owner}},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"list": {"elements": elements}}],
            "template": {
                "metadata": {
                    "name": _application_name(name, "{{ .environment }}"),
                    "labels": {OWNER: owner, ENVIRONMENT: "{{ .environment }}"},
                    "finalizers": [CASCADE],
                },
                "spec": {
                    "project": "{{ .environment }}",
                    "source": {
                        "repoURL": "{{ .repository }}",
                        "targetRevision": "{{ .branch }}",
                        "path": "{{ .path }}",
                        "helm": {
                            "releaseName": name,
                            "valueFiles": ["values-{{ .environment }}.yaml"],
                            # An environment's file comes with the environment's first own setting.
                            "ignoreMissingValueFiles": True,
                            "values": "{{ .values }}",
                        },
                    },
                    "destination": {"server": IN_CLUSTER, "namespace": "{{ .namespace }}"},
                    "syncPolicy": {
                        "automated": {"prune": True, "selfHeal": True},
                        "retry": {"limit": 5, "backoff": {"duration": "1s", "factor": 2, "maxDuration": "30s"}},
                    },
                },
            },
        },
    }


def _element(environment: Json, service: Json) -> Json:
    """What the generator gives the template: texts alone."""
    return {
        "environment": environment["environment"],
        "namespace": environment["namespace"],
        "repository": environment["repository"],
        "branch": environment["branch"],
        "path": service["path"],
        "values": yaml.safe_dump(service["values"], sort_keys=True),
    }
