"""What of a network is trained, and in which order: all of it, its head on features
that are computed once, or the head first and then all.
"""

from __future__ import annotations

from dataclasses import dataclass

from triptych.frameworks.contract import Framework
from triptych.frameworks.registry import Entry
from triptych.images.store import Store
from triptych.network.cut import cut
from triptych.network.weights import Weights, load_tensors, own_weights, save_tensors
from triptych.running.exam import batch_tensors
from triptych.running.features import Body, features_of
from triptych.running.folder import Panel, RunFolder, make_folder
from triptych.running.protocol import Alive, Emit, FeaturesComputed, Told
from triptych.running.recipe import Recipe
from triptych.running.training import TrainingState, parts_of, train, views_of


@dataclass(frozen=True)
class Trainer:
    """Trains a run's network in one framework."""

    framework: Framework
    entry: Entry
    run: RunFolder
    store: Store
    emit: Emit

    def train(self) -> TrainingState:
        """Train as the run's recipe says, from a checkpoint if there is one."""
        recipe, weights = self.run.recipe(), self.run.starting_weights()
        panel = self.run.panel(self.entry)
        if recipe.trained_layers is not None:
            return self._train_head(recipe, weights, panel, self.emit)
        if recipe.head_epochs:
            make_folder(panel.head.path)
            self._train_head(recipe.of_the_head(), weights, panel.head, self._tell)
            weights = load_tensors(panel.head.weights)
        architecture = self.run.architecture()
        parts = parts_of(recipe, architecture, self.store)
        given = architecture, weights, parts, panel, self.emit
        return train(self.framework, recipe, *given)

    def _train_head(
        self, recipe: Recipe, weights: Weights, panel: Panel, emit: Emit
    ) -> TrainingState:
        """Train the last layers on what those before them make of the images."""
        assert recipe.trained_layers is not None
        frozen, head = cut(self.run.architecture(), recipe.trained_layers)
        held = own_weights(frozen, weights)
        body = Body(self.framework, self.entry, frozen, held, recipe.precision)
        features = features_of(body, self.store, views_of(recipe, self.store), emit)
        parts = parts_of(recipe, head, self.store, features)
        save_tensors(panel.first_batch, batch_tensors(parts.train.batch(0, 0)))
        return train(self.framework, recipe, head, weights, parts, panel, emit)

    def _tell(self, event: Told) -> None:
        """Of the first of two stages tell what takes time; its epochs are not those
        that were asked for.
        """
        self.emit(event if isinstance(event, FeaturesComputed) else Alive())
