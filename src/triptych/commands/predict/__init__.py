"""Predict and evaluate with what a run has learned."""

from triptych.commands.predict.evaluation import Evaluation, evaluate
from triptych.commands.predict.model import Model
from triptych.commands.predict.prediction import Prediction, Predictions, predict

__all__ = ["Evaluation", "Model", "Prediction", "Predictions", "evaluate", "predict"]
