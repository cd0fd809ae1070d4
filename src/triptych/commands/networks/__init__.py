"""The networks that come with Triptych, and their sources."""
