"""The composition function is importable without being installed."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "crossplane/event_pipeline/function/src"))
