# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Kubernetes API as workload_wait needs it: what crossplane_wait uses, and logs."""

from __future__ import annotations

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_api import READ_TIMEOUT, KubernetesApi
from ansible_collections.localcloud.stack.plugins.module_utils.crossplane_conditions import CrossplaneError
from ansible_collections.localcloud.stack.plugins.module_utils.workloads import WorkloadError


class WorkloadApi(KubernetesApi):
    def connect(self) -> None:
        """Read the kubeconfig. Raises WorkloadError."""
        try:
            super().connect()
        except CrossplaneError as error:
            raise WorkloadError(error.message) from error

    def text(self, path: str, params: t.Mapping[str, str]) -> str:
        """An answer that is not JSON. ApiError if there is none."""
        response = self._request(path, params, READ_TIMEOUT)
        try:
            return bytes(response.data).decode("utf-8", errors="replace")
        finally:
            response.release_conn()
