# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""IAM: issuers of OpenID Connect that AWS trusts, such as a cluster's, whose service accounts then take roles (IRSA)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from ansible_collections.localcloud.stack.plugins.module_utils.aws.external import ExternalResource, Json
from ansible_collections.localcloud.stack.plugins.module_utils.aws.requests import existing

from ..comparison import TAGS, Rule
from ..entry import Context, Object, TaggedEntry
from ..fields import named, text
from ..kind import Kind
from ..models import Field
from ..observe import Aws, tag_map

# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateOpenIDConnectProvider.html
IssuerUrl = Annotated[str, named(r"https://[A-Za-z0-9.-]+(/[A-Za-z0-9._/-]*)?", "URLs of issuers: https://…")]
Thumbprint = Annotated[str, named(r"[0-9a-fA-F]{40}", "40 hexadecimal digits")]


class OidcProvider(TaggedEntry):
    list_name: ClassVar[str] = "oidc_providers"
    case_matters: ClassVar[bool] = False
    described: ClassVar[str] = "Issuers of OpenID Connect that IAM trusts"

    url: IssuerUrl
    client_ids: Annotated[list[Annotated[str, text(255, 1)]], Field(min_length=1, max_length=100)] = Field(
        default_factory=lambda: ["sts.amazonaws.com"]
    )
    # AWS itself works them out where none is given, but the provider wants at least one.
    thumbprints: Annotated[list[Thumbprint], Field(min_length=1, max_length=5)]

    @property
    def title(self) -> str:
        return self.url.removeprefix("https://")

    @classmethod
    def names_in(cls, raw: Mapping[str, Any]) -> list[str]:
        return [raw["url"]] if isinstance(raw.get("url"), str) else []

    def objects(self, context: Context) -> list[Object]:
        parameters = {
            "url": self.url,
            "clientIdList": self.client_ids,
            "thumbprintList": self.thumbprints,
            "tags": self.all_tags(context),
        }
        arn = context.target.arn("iam", f"oidc-provider/{self.title}")
        return [context.managed(self, "iam", "OpenIDConnectProvider", parameters, external=arn)]


def _oidc_provider(aws: Aws, resource: ExternalResource) -> Json | None:
    answer = existing(aws.get("iam"), "get_open_id_connect_provider", OpenIDConnectProviderArn=resource.external_name)
    if answer is None:
        return None
    return {
        "url": f"https://{answer['Url'].removeprefix('https://')}",
        "clientIdList": answer.get("ClientIDList") or [],
        "thumbprintList": answer.get("ThumbprintList") or [],
        "tags": tag_map(answer.get("Tags") or []),
    }


KINDS = (
    Kind(
        "iam",
        "OpenIDConnectProvider",
        OidcProvider,
        _oidc_provider,
        immutable=frozenset({"url"}),
        named_by_us=True,
        # IAM keeps it without https://, which the provider hands on.
        compare={"tags": TAGS, "url": Rule("url")},
    ),
)
