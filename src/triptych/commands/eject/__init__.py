"""Walk away with plain code: a network as a script, a notebook or a package of one's own."""
