"""Tests of `triptych.pictures`."""
