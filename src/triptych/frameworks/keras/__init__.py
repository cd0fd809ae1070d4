"""Keras: `write` writes its networks, `run` runs them, `ops` is quoted."""
