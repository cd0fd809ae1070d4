"""Walk away with plain code: a network as one's own script, notebook or package."""
