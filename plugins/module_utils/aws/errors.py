# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What went wrong with AWS, said in one sentence with the likely cause and the next step.

Pure: imports neither boto3 nor Ansible.
"""

from __future__ import annotations

import re

from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError, printable


class AwsError(ModuleError):
    """The one exception of the AWS modules."""


# What botocore's parsers raise for an answer that has another form than AWS's, such as a date that is none, and what reading one does that
# lacks what AWS always has.
UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)

_BAD_CREDENTIALS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "InvalidAccessKeyId",
    "AuthFailure",
    "IncompleteSignature",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AuthorizationErrorException",
}
THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "ProvisionedThroughputExceededException",
    "RequestThrottled",
    "RequestThrottledException",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
}
# S3 says so of a setting that a bucket does not have, IAM of everything.
_NOT_FOUND = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "LifecyclePolicyNotFoundException",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchCORSConfiguration",
    "NoSuchEntity",
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchTagSet",
    "NotFound",
    "NotFoundException",
    "ParameterNotFound",
    "QueueDoesNotExist",
    "RepositoryNotFoundException",
    "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
}
_BROKEN = {"InternalError", "InternalServerError", "ServiceUnavailable", "ServiceUnavailableException"}
_NOT_INSTALLED = re.compile(r"Installation of (.+) failed")
_NOT_IMPLEMENTED = {
    "NotImplemented",
    "InternalFailure",
    "UnknownOperation",
    "UnknownOperationException",
    "InvalidAction",
    "UnsupportedOperation",
}


def error_code(error: BaseException) -> str:
    """The service's error code, or an empty text for an error that didn't come from the service."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return ""
    return str(response.get("Error", {}).get("Code", ""))


def error_message(error: BaseException) -> str:
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        return printable(error)
    return printable(response.get("Error", {}).get("Message", "") or "no message")


def is_not_found(error: BaseException) -> bool:
    """True where the service says that the resource asked for doesn't exist: a value, not a failure."""
    return error_code(error) in _NOT_FOUND


def is_not_implemented(error: BaseException) -> bool:
    """True where an emulator says that it doesn't know the request."""
    return error_code(error) in _NOT_IMPLEMENTED


def concerns_one_thing(error: BaseException) -> bool:
    """Whether other requests to the same service may work all the same: it's neither the caller nor the service."""
    return isinstance(error, UNREADABLE) or error_code(error) not in {"", *_BAD_CREDENTIALS, *_EXPIRED, *THROTTLED}


def kinds_of(error: BaseException) -> set[str]:
    """Names of the error's classes: tells botocore's errors apart without importing it."""
    return {cls.__name__ for cls in type(error).__mro__}


def not_aws(where: str) -> str:
    return (
        f"{where} answers HTTP, but not as an AWS endpoint does; likely the URL or port belongs to another web server. "
        "Set endpoint_url to the emulator's own address, by default http://localhost:4566."
    )


def unreadable(where: str, doing: str, error: BaseException) -> str:
    return (
        f"{where} answers {doing} otherwise than AWS does, so that the answer can't be read ({type(error).__name__}: {printable(error)}); "
        "likely the emulator lacks a part of this. See its log, or leave this out of what is asked for."
    )


def unreachable(where: str, why: str) -> str:
    return (
        f"{where} cannot be reached ({why}); likely the emulator is not running or the host or port is wrong. "
        "Start it or correct endpoint_url, then try again."
    )


def tls_failed(where: str, why: str) -> str:
    return (
        f"{where} failed the TLS handshake ({why}); likely it speaks plain http or has a certificate that is not "
        f"trusted. "
        "Use http:// in endpoint_url or trust its CA with AWS_CA_BUNDLE."
    )


def refused_credentials(where: str, code: str, message: str) -> str:
    return (
        f"{where} refused the credentials ({code}: {message}); likely they are wrong or belong to another account. "
        "Check access_key and secret_key, profile or AWS_ACCESS_KEY_ID."
    )


def explain(error: BaseException, doing: str, endpoint_url: str | None) -> str:
    """One sentence of what failed and its likely cause, one of what to do next."""
    where = endpoint_url or "AWS"
    kinds = kinds_of(error)

    if kinds & {"NoCredentialsError", "CredentialRetrievalError"}:
        hint = (
            "an emulator takes any, for example test and test"
            if endpoint_url
            else "or run 'aws configure' or 'aws sso login'"
        )
        return (
            f"There are no AWS credentials for {doing}: neither arguments nor environment nor profile give any. "
            f"Set access_key and secret_key, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY ({hint})."
        )
    if "PartialCredentialsError" in kinds:
        return (
            f"The AWS credentials for {doing} are incomplete ({error}); likely only one of key and secret is set. "
            "Set both access_key and secret_key."
        )
    if "ProfileNotFound" in kinds:
        return (
            f"{error}, so {doing} has no credentials; likely the name is misspelt. "
            "List the profiles with 'aws configure list-profiles'."
        )
    if "NoRegionError" in kinds:
        return (
            f"There is no region for {doing}: neither argument nor environment nor profile gives one. "
            "Set region or AWS_REGION, for example eu-central-1."
        )
    if "InvalidRegionError" in kinds:
        return f"The region is not valid for {doing} ({error}). Correct region."
    if "ValueError" in kinds and "endpoint" in str(error).lower():
        return f"endpoint_url is not a URL ({error}). Write it with scheme and host, for example http://localhost:4566."
    if kinds & {"UnauthorizedSSOTokenError", "SSOTokenLoadError", "TokenRetrievalError"}:
        return f"The single sign-on session for {doing} has expired ({error}). Run 'aws sso login' and try again."
    if "SSLError" in kinds:
        return tls_failed(where, str(error))
    if "ConnectTimeoutError" in kinds:
        return unreachable(where, "no answer to the connection attempt")
    if "ReadTimeoutError" in kinds:
        return (
            f"{where} took the connection but did not answer within the read timeout while {doing}; "
            "likely it is overloaded or still starting. Look at its log and try again."
        )
    if kinds & {"EndpointConnectionError", "ConnectionError", "ConnectionClosedError", "HTTPClientError"}:
        return unreachable(where, _reason(error))
    if kinds & {"ResponseParserError", "JSONDecodeError"}:
        return not_aws(where)

    if isinstance(error, UNREADABLE) and "BotoCoreError" not in kinds:
        return unreadable(where, doing, error)

    code = error_code(error)
    if code:
        operation = str(getattr(error, "operation_name", ""))
        # An answer to HEAD has no body, so the code is the status.
        if code == "403" and operation.startswith("Head"):
            code = "AccessDenied"
        return _explain_answer(code, error_message(error), doing, where, "Bucket" in operation or "Object" in operation)
    what = f"{doing[:1].upper()}{doing[1:]}"
    return f"{what} failed at {where} ({type(error).__name__}: {printable(error)}). Run again with -vvv to see more."


def _explain_answer(code: str, message: str, doing: str, where: str, about_bucket: bool = False) -> str:
    if code in _BAD_CREDENTIALS:
        return refused_credentials(where, code, message)
    if code in _EXPIRED:
        return (
            f"{where} says that the credentials have expired ({code}). "
            "Get new ones (for example 'aws sso login') and try again."
        )
    if code in _DENIED and about_bucket:
        return (
            f"{where} denies {doing} ({code}: {message}); likely the bucket belongs to another account, as all accounts share the names of "
            "buckets, or a permission is missing in the caller's policy. Take another name or that account's credentials, or grant it."
        )
    if code in _DENIED:
        return (
            f"{where} denies {doing} ({code}: {message}); likely a permission is missing in the caller's policy. "
            "Grant it, or use other credentials."
        )
    if code in THROTTLED:
        return f"{where} throttled {doing} in spite of retries ({code}: {message}). Wait a little and try again."
    if code.isdigit():
        return not_aws(where)
    if code in _BROKEN and (missing := _NOT_INSTALLED.search(message)):
        return (
            f"{where} cannot do {doing} ({code}: {message}); likely its image lacks {missing[1]}, which LocalStack would download when the "
            "service is first used. Use its public image (localstack_service_image) or MiniStack, or leave it out of what is asked for."
        )
    if code in _BROKEN:
        return (
            f"{where} failed by itself at {doing} ({code}: {message}); likely that service broke or is still starting. "
            "Look at the emulator's log and try again."
        )
    if code in _NOT_IMPLEMENTED:
        return (
            f"{where} cannot do {doing} ({code}: {message}); likely the service is switched off or not emulated there. "
            "Enable it (LocalStack: SERVICES) or leave it out of what is asked for."
        )
    return f"{where} answered {doing} with {code}: {message}. Correct what it names and try again."


def _reason(error: BaseException) -> str:
    text = str(getattr(error, "kwargs", {}).get("error", "") or error)
    for known in (
        "Connection refused",
        "Name or service not known",
        "No route to host",
        "timed out",
        "Connection reset",
    ):
        if known.lower() in text.lower():
            return known[:1].lower() + known[1:]
    if "resolve" in text.lower() or "getaddrinfo" in text.lower():
        return "the host name does not resolve"
    return printable(text)
