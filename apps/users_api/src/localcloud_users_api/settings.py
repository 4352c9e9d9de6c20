"""Settings from environment variables; all bad ones are told together, in one line that names them."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from localcloud_events.settings import TABLE_PATTERN
from localcloud_web.settings import ENDPOINT_PATTERN, HOST, ServerSettings
from localcloud_web.settings import load as load_settings

PUBLIC_URL_PATTERN = rf"^(https?://{HOST}(/[A-Za-z0-9._~/-]*)?)?$"
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_PATTERN = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
KIB, MIB = 2**10, 2**20

Network = IPv4Network | IPv6Network

HINTS = {
    "AWS_ENDPOINT_URL": "should be http://host:port with no path, or empty for real AWS",
    "PUBLIC_URL": "should be http(s)://host[:port][/path], or empty to take what each request was sent to",
    "DYNAMODB_TABLE": "should be the name of the table, 3 to 255 of the characters A-Z a-z 0-9 _ . -",
    "S3_BUCKET": "should be the name of the bucket, 3 to 63 of the characters a-z 0-9 . -",
    "TRUSTED_PROXIES": "should be addresses or networks with commas between, for example 10.0.0.0/8,192.168.1.1",
}


def _networks(text: str) -> str:
    for network in filter(None, map(str.strip, text.split(","))):
        ip_network(network)
    return text


class Settings(ServerSettings):
    """What the service is told by its environment.

    Credentials are not here: AWS's SDK finds them itself (environment, web identity, pod identity, profile).
    """

    region: Annotated[str, Field(validation_alias="AWS_REGION", pattern=r"^[a-z0-9-]+$")] = "eu-central-1"
    endpoint: Annotated[str, Field(validation_alias="AWS_ENDPOINT_URL", pattern=ENDPOINT_PATTERN)] = ""
    table: Annotated[str, Field(validation_alias="DYNAMODB_TABLE", pattern=TABLE_PATTERN)]
    bucket: Annotated[str, Field(validation_alias="S3_BUCKET", pattern=BUCKET_PATTERN)]
    public_url: Annotated[str, Field(validation_alias="PUBLIC_URL", pattern=PUBLIC_URL_PATTERN)] = ""
    # Proxies whose X-Forwarded-Proto, -Host and -Prefix are believed.
    trusted_proxies: Annotated[str, Field(validation_alias="TRUSTED_PROXIES"), AfterValidator(_networks)] = ""
    # Whether avatar_url leads through the service, or to S3 by an address that is signed for an hour.
    avatar_urls: Annotated[Literal["service", "presigned"], Field(validation_alias="AVATAR_URLS")] = "service"
    max_avatar_bytes: Annotated[int, Field(validation_alias="MAX_AVATAR_BYTES", ge=KIB, le=64 * MIB)] = 2 * MIB
    # Calls to AWS at the same time; each has a thread and a connection.
    aws_concurrency: Annotated[int, Field(validation_alias="AWS_CONCURRENCY", ge=1, le=256)] = 16
    # Seconds between two searches for avatars that no user has; 0 for none.
    sweep_interval: Annotated[float, Field(validation_alias="SWEEP_INTERVAL_SECONDS", ge=0, le=7 * 86400)] = 3600

    @property
    def trusted_networks(self) -> tuple[Network, ...]:
        """The networks of `trusted_proxies`."""
        return tuple(ip_network(one.strip()) for one in self.trusted_proxies.split(",") if one.strip())


def load() -> Settings:
    """Read the settings from the environment; raises BadSettingsError."""
    return load_settings(Settings, HINTS)
