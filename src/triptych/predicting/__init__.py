"""Predict and evaluate with what a run has learned."""

from triptych.predicting.prediction import Evaluation, Prediction, evaluate, predict

__all__ = ["Evaluation", "Prediction", "evaluate", "predict"]
