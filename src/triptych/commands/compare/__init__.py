"""Compare: one network, one folder of pictures, several frameworks side by side."""

from triptych.commands.compare.comparison import Comparison, compare, resume

__all__ = ["Comparison", "compare", "resume"]
