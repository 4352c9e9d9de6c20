# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Real AWS, with an account that is named."""

from __future__ import annotations

import re

from ..endpoint import EMULATED_ACCOUNT
from ..engine import Choice, Engine, Json

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/\S+")


def _problems(settings: Json) -> list[str]:
    found = []
    account = str(settings["account"])
    if not re.fullmatch(r"\d{12}", account):
        found.append(
            "Real AWS is used only with the account that you mean: set localstack_service_account to its twelve digits "
            f"(as a string){f', not {account!r}' if account else ''}."
        )
    elif account == EMULATED_ACCOUNT:
        found.append(
            f"The account {EMULATED_ACCOUNT} is that of emulators, not of real AWS. Set localstack_service_account to yours."
        )
    if settings["credentials"] == "irsa" and not _ROLE.fullmatch(settings["role_arn"]):
        found.append(
            "With credentials by IRSA the provider takes a role: set localstack_service_role_arn to arn:aws:iam::<account>:role/<name>."
        )
    elif settings["role_arn"] and f"::{account}:" not in settings["role_arn"]:
        found.append(f"The role {settings['role_arn']} is of another account than {account}. Correct one of them.")
    return found


ENGINE = Engine(
    name="aws",
    title="real AWS",
    place="aws",
    choices=(
        Choice(
            "`aws`",
            "real AWS, only with `localstack_service_account`, which STS must confirm; credentials by IRSA or EKS Pod Identity",
            "AWS's",
            "the same description in production",
        ),
    ),
    problems=_problems,
)
