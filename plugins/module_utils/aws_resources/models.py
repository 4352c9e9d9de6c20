# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the entries' models take from pydantic. The only file that imports it.

Where it is not installed the models can be imported, but not used: the filters say so before they try.
"""

from __future__ import annotations

from typing import Any

try:
    from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
except ImportError:

    def _nothing(*_arguments: Any, **_named: Any) -> Any:
        return None

    class _Model:
        def __init__(self, **_fields: Any) -> None:
            pass

    AfterValidator = BeforeValidator = ConfigDict = Field = _nothing  # type: ignore[assignment,misc]
    BaseModel = _Model  # type: ignore[assignment,misc]
    ValidationError = ValueError  # type: ignore[assignment,misc]

__all__ = ["AfterValidator", "BaseModel", "BeforeValidator", "ConfigDict", "Field", "ValidationError"]
