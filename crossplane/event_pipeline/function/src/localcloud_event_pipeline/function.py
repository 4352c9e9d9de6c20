"""The composition function: Crossplane's request in, desired resources, readiness and status out."""

from __future__ import annotations

from typing import Any

import crossplane.function.proto.v1.run_function_pb2 as fnv1
import grpc
from crossplane.function import logging, resource, response
from crossplane.function.proto.v1 import run_function_pb2_grpc as grpcv1

from localcloud_event_pipeline.resources import CLUSTER_LABEL, OWNER_LABEL, Pipeline, resources
from localcloud_event_pipeline.spec import InvalidSpecError, read
from localcloud_event_pipeline.status import check_account, status


class FunctionRunner(grpcv1.FunctionRunnerServiceServicer):
    """Serves Crossplane's calls."""

    async def RunFunction(  # noqa: N802
        self, request: fnv1.RunFunctionRequest, _context: grpc.aio.ServicerContext | None
    ) -> fnv1.RunFunctionResponse:
        """Compose one EventPipeline."""
        answer = compose(request)
        composite = request.observed.composite.resource
        logging.get_logger().info(
            "composed",
            pipeline=composite["metadata"]["name"],
            resources=len(answer.desired.resources),
            problems=[one.message for one in answer.results],
        )
        return answer


def compose(request: fnv1.RunFunctionRequest) -> fnv1.RunFunctionResponse:
    """The answer to one request. What is wrong with the spec is a fatal result, which Crossplane shows as its event."""
    answer = response.to(request)
    composite = plain(request.observed.composite)
    observed = {name: plain(one) for name, one in request.observed.resources.items()}
    try:
        pipeline = Pipeline(
            read(composite.get("spec", {})), _label(composite, OWNER_LABEL), _label(composite, CLUSTER_LABEL)
        )
        check_account(pipeline.spec.account, observed)
        made = resources(pipeline)
    except InvalidSpecError as error:
        response.fatal(answer, str(error))
        return answer
    for name, desired in made.items():
        resource.update(answer.desired.resources[name], desired)
        if is_ready(request.observed.resources.get(name)):
            answer.desired.resources[name].ready = fnv1.READY_TRUE
    resource.update_status(answer.desired.composite, status(observed))
    return answer


def plain(one: fnv1.Resource) -> dict[str, Any]:
    """A resource as plain data. Protobuf knows only floats, and 100.0 is not what a filter policy had."""
    found: dict[str, Any] = _whole(resource.struct_to_dict(one.resource))
    return found


def is_ready(one: fnv1.Resource | None) -> bool:
    """Whether a resource was made as declared."""
    return all(resource.get_condition(one, condition).status == "True" for condition in ("Synced", "Ready"))


def _label(composite: dict[str, Any], name: str) -> str:
    return str(composite.get("metadata", {}).get("labels", {}).get(name, ""))


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return [_whole(one) for one in value] if isinstance(value, list) else value
