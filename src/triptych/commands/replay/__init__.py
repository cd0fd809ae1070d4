"""What each difference between recipes is worth: `replay`."""

from triptych.commands.replay.replay import replay
from triptych.commands.replay.result import Replay

__all__ = ["Replay", "replay"]
