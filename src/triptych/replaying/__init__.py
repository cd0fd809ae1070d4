"""What each difference between recipes is worth: `replay`."""

from triptych.replaying.replay import replay
from triptych.replaying.result import Replay

__all__ = ["Replay", "replay"]
