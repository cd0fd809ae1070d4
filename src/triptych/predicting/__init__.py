"""Predict and evaluate with what a run has learned."""

from triptych.predicting.evaluation import Evaluation, evaluate
from triptych.predicting.model import Model
from triptych.predicting.prediction import Prediction, Predictions, predict

__all__ = ["Evaluation", "Model", "Prediction", "Predictions", "evaluate", "predict"]
