"""What holds for all unit tests."""

from __future__ import annotations

import hypothesis

# A machine that has other work to do is no failure of a property.
hypothesis.settings.register_profile("unit", deadline=None)
hypothesis.settings.load_profile("unit")
