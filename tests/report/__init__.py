"""Tests of `triptych.report`."""
