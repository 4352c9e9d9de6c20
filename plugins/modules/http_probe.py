#!/usr/bin/python
# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: http_probe
short_description: Prove by requests that a service answers as it should
version_added: 0.1.0
description:
  - Sends requests over HTTP, one after the other, and compares each answer with what is expected.
  - Values of an answer can be used in later steps, and a token that no other run has gives what is made a name of its own.
  - Steps that clean up run whatever happens before, so that nothing is left behind and nothing counts as changed.
  - All that is wrong with the steps is said at once, each with its path, before the first request.
options:
  steps:
    description:
      - The requests, in their order. Each is a map with the keys that follow; only C(url) is required.
      - C(name) says what the step does, for messages and RV(latency_ms). By default it is method and URL.
      - C(url) is where the request goes, with C(http) or C(https). C(method) is C(GET) by default. C(headers) is a map of texts.
      - The body is one of C(send_json), any value, C(send_form), and C(send_body), a text. C(send_form) is a map from a field's name
        to its text, or to a map with C(file), a path on the machine that the module runs on, and C(content_type), which is
        guessed by default; it is sent as C(multipart/form-data).
      - C(status) is the expected status or a list of them, 200 by default.
      - C(json) is what the answer must hold. Of maps only the given keys are compared, everything else must be equal, lists with all that
        is in them.
      - C(contains) is a text that the answer's body must contain. C(file) is a path; the body must have exactly the file's bytes.
        C(header) is a map of the answer's headers.
      - C(save) is a map from a name to the path of a value in the answer's JSON, for example C(user.links.0.href). Later steps
        have it as C(${name}) in C(url), C(headers), bodies and expectations. A text that is nothing but C(${name}) becomes the value with its
        type. C(${unique}) is a token of 12 hexadecimal digits that differs in each run. C($${) stands for C(${) itself.
      - C(always) marks a step that cleans up. If an earlier step fails, it runs all the same, for 15 seconds at most, and a failure of
        its own is only added to the message.
      - C(retry) repeats the step until its answer is as expected, for what is consistent only after a while. The pauses grow from
        0.1 to 2 seconds.
    type: list
    elements: dict
    required: true
  timeout:
    description:
      - Seconds that all steps have together, with their repetitions.
      - A single request has 15 seconds at most.
    type: int
    default: 60
extends_documentation_fragment:
  - localcloud.stack.attributes
  - localcloud.stack.attributes.reads_only
attributes:
  check_mode:
    support: partial
    details: Nothing is sent. Only the steps are checked, and whether their files can be read.
  diff_mode:
    details: It leaves nothing behind if the steps do not.
  idempotent:
    details: It leaves nothing behind if the steps do not.
notes:
  - Redirects are followed within one origin (scheme, host and port) only, and not where their status is expected.
  - Proxies of the environment are used, but not for this machine, networks that it is in, private addresses and what C(NO_PROXY) names.
  - A server's certificate is checked against this machine's authorities, or those of C(SSL_CERT_FILE).
  - What headers such as C(Authorization) and C(Cookie) and fields such as C(password) hold, and values that are saved for them, is shown
    neither in messages nor in the result.
requirements:
  - urllib3
seealso:
  - module: localcloud.stack.event_probe
author:
  - localcloud.stack contributors (@localcloud)
"""

EXAMPLES = r"""
- name: Prove that the users API makes, finds and deletes a user with an avatar
  localcloud.stack.http_probe:
    steps:
      - name: create
        url: http://127.0.0.1:30080/user
        method: POST
        send_form:
          name: Probe
          email: probe-${unique}@example.org
          avatar: {file: files/avatar.png, content_type: image/png}
        status: 201
      - name: get
        url: http://127.0.0.1:30080/user/probe-${unique}@example.org
        json: {email: "probe-${unique}@example.org"}
        save: {avatar_url: avatar_url}
      - name: avatar
        url: ${avatar_url}
        file: files/avatar.png
      - name: delete
        url: http://127.0.0.1:30080/user/probe-${unique}@example.org
        method: DELETE
        status: 204
        always: true
  register: proof

- name: Prove that an order gets through, with a token
  localcloud.stack.http_probe:
    steps:
      - name: log in
        url: https://orders.example.org/login
        method: POST
        send_json: {user: probe, password: "{{ orders_password }}"}
        save: {token: access_token}
      - name: order
        url: https://orders.example.org/orders
        method: POST
        headers: {Authorization: "Bearer ${token}"}
        send_json: {reference: "${unique}", lines: [{article: tea, count: 1}]}
        status: [201, 202]
        save: {id: id}
      - name: shipped
        url: https://orders.example.org/orders/${id}
        headers: {Authorization: "Bearer ${token}"}
        json: {state: shipped}
        retry: true
    timeout: 120
"""

RETURN = r"""
steps:
  description: The steps that were sent, in their order, with the status and the milliseconds of each, empty where there is none.
  returned: when the steps are right
  type: list
  elements: dict
  sample: [{name: create, status: 201, ms: 24.1}, {name: get, status: 200, ms: 4.2}]
latency_ms:
  description: Milliseconds of each step by its name, with its repetitions, and C(total) of all together. Empty in check mode.
  returned: when the steps are right
  type: dict
  sample: {create: 24.1, get: 4.2, total: 28.9}
saved:
  description: The values of C(${…}), C(unique) among them, but for those that are secrets. Empty in check mode.
  returned: when the steps are right
  type: dict
  sample: {unique: 0f3c5a7b9d1e, avatar_url: "http://127.0.0.1:30080/user/probe-0f3c5a7b9d1e@example.org/avatar"}
failed_step:
  description: The name of the step that failed first.
  returned: when a step failed
  type: str
  sample: create
"""

import typing as t

from ansible_collections.localcloud.stack.plugins.module_utils.common.dependencies import missing_packages
from ansible_collections.localcloud.stack.plugins.module_utils.common.module import Spec, run_module
from ansible_collections.localcloud.stack.plugins.module_utils.common.printable import ModuleError
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_proof import HttpProof, unsent
from ansible_collections.localcloud.stack.plugins.module_utils.probe.http_steps import (
    read_steps,
    secret_values,
    step_problems,
)


def secrets_of(params: dict[str, t.Any]) -> t.Iterable[str]:
    """What is secret among steps that are valid."""
    steps = params["steps"]
    return () if step_problems(steps) else secret_values(read_steps(steps))


SPEC = Spec(
    argument_spec={
        "steps": {"type": "list", "elements": "dict", "required": True},
        "timeout": {"type": "int", "default": 60},
    },
    secrets=secrets_of,
)


def run(params: dict[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    if missing := missing_packages("urllib3"):
        raise ModuleError(missing)
    timeout = params["timeout"]
    problems = step_problems(params["steps"])
    if timeout <= 0:
        problems.append(f"timeout is {timeout}, but must be above 0.")
    if problems:
        raise ModuleError(" ".join([*problems, "Nothing was sent."]))
    steps = read_steps(params["steps"])
    return unsent(steps) if check_mode else HttpProof(steps, timeout).run()


def main() -> None:
    run_module(SPEC, run)


if __name__ == "__main__":
    main()
