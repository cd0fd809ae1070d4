"""How a run is carried out: recipe, run folder, the one training loop, workers."""
