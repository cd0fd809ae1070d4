"""Walk away with plain code: a network as a script, a notebook or a package of one's own."""

from triptych.commands.eject.ejection import Ejected, eject

__all__ = ["Ejected", "eject"]
