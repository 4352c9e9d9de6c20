# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Charts as SVG, drawn by the part report-charts: ECharts without a browser. No text goes there, so that all of a picture is the library's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from typing import NamedTuple

from ansible_collections.localcloud.stack.plugins.module_utils.common.environment import for_machine
from ansible_collections.localcloud.stack.plugins.module_utils.report.model import Chart
from markupsafe import Markup

# Of a picture, in pixels; the page scales it to its place.
WIDTH, HEIGHT = 480, 170
LIMIT_SECONDS = 30


class Drawn(NamedTuple):
    """A picture for each chart that has points, else an empty one. C(problem): why there is none at all."""

    pictures: list[Markup]
    problem: str = ""


def drawn(charts: Sequence[Chart], command: Sequence[str]) -> Drawn:
    """The charts, as this command draws them. Without one, or where it fails, tables stand for them."""
    empty = [Markup()] * len(charts)
    wanted = [place for place, one in enumerate(charts) if one.series and not one.single]
    if not command or not wanted:
        return Drawn(empty, "" if command or not wanted else "the part report-charts is not built")
    asked = [
        {"unit": one.unit, "start": one.start, "step": one.step, "series": [series.values for series in one.series]}
        for one in (charts[place] for place in wanted)
    ]
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(command),
            input=json.dumps({"width": WIDTH, "height": HEIGHT, "charts": asked}),
            env=for_machine(os.environ),
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_SECONDS,
        )
        # The words beside a picture say what it is.
        found = [
            Markup(str(one).replace("<svg ", '<svg class="chart" aria-hidden="true" ', 1))
            for one in json.loads(done.stdout)
        ]
        placed = dict(zip(wanted, found, strict=True))
    except subprocess.CalledProcessError as error:
        return Drawn(empty, (error.stderr.strip().splitlines() or ["it failed"])[-1])
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return Drawn(empty, str(error))
    return Drawn([placed.get(place, Markup()) for place in range(len(charts))])
