import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from localcloud_events.problems import PROBLEMS, ResourceMissingError, explain

EMULATOR = "http://localstack:4566"


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no\nway"}}, "Publish")


@pytest.mark.parametrize(
    ("error", "endpoint", "cause", "next_step"),
    [
        (ResourceMissingError("SNS topic", "t", "r"), EMULATOR, "not made yet", "Crossplane"),
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), EMULATOR, "not made yet", "Crossplane"),
        (client_error("ResourceNotFoundException"), "", "not made yet", "Crossplane"),
        (client_error("InvalidClientTokenId"), "", "credentials", "Secret"),
        (client_error("AccessDeniedException"), "", "may not do this", "policy"),
        (client_error("ThrottlingException"), "", "more is asked", "capacity"),
        (client_error("InternalError"), "", "see the error above", "log"),
        (NoCredentialsError(), "", "credentials", "service account"),
        (EndpointConnectionError(endpoint_url=EMULATOR), EMULATOR, "emulator is not up", "CLOUD_AWS_DEFAULTS_ENDPOINT"),
        (ReadTimeoutError(endpoint_url="https://x"), "", "no way out to AWS", "443"),
    ],
)
def test_every_problem_has_a_cause_and_a_next_step(error: Exception, endpoint: str, cause: str, next_step: str) -> None:
    assert isinstance(error, PROBLEMS)
    problem = explain(error, endpoint)
    assert cause in problem.cause
    assert next_step in problem.next_step
    assert problem.what
    assert "\n" not in problem.what


def test_a_missing_resource_is_named() -> None:
    assert str(ResourceMissingError("SQS queue", "q", "eu-central-1")) == "SQS queue 'q' does not exist in eu-central-1"
