"""Tests of `triptych.images`."""
