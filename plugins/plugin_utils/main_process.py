# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the main process has before it forks one for each task, which then need not load it.

Actions import this, as the main process imports a task's action before it forks.
"""

from __future__ import annotations

import contextlib
import functools
import gc
from collections.abc import Iterator

from ansible.plugins.loader import filter_loader, lookup_loader, test_loader

# So many more objects than at the last time make Python look for garbage again; 700 by default, which lists of thousands of
# resources pass all the time without any garbage among them. These are about 20 MiB.
NEW_OBJECTS = 100_000
# For any filter of a collection, all files with filters of that one are loaded.
A_FILTER = "localcloud.stack.runtime_problems"
LOOKUPS = ("env", "file")


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """What is made in here stays: no garbage is looked for among it, neither here nor by the tasks' own processes.

    Each of these would else copy all of its memory as soon as it collects garbage.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS)
        gc.enable()


@functools.cache
def load_for_templates() -> None:
    """Load the filters, tests and lookups of nearly all templates, which takes a tenth of a second."""
    # KeyError: no playbook runs, so that Ansible does not know the collection.
    with kept(), contextlib.suppress(KeyError):
        filter_loader.get(A_FILTER)
        test_loader.get("ansible.builtin.defined")
        for name in LOOKUPS:
            lookup_loader.get(f"ansible.builtin.{name}", class_only=True)
