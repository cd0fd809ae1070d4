"""Predict and evaluate with what a run has learned."""
