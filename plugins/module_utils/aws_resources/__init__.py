# Copyright: localcloud.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""AWS resources from plain lists: what is made of them, what is wrong with them, and of which kinds they are."""

from .declared import derive, kinds
from .target import Target

__all__ = ["Target", "derive", "kinds"]
