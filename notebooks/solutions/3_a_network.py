# %% 1
count = dense(48 * 48 * 3, 64) + dense(64, 6)

# %% 2
neurons = [(-1, -1, 0.6), (-1, 1, 0.6), (1, -1, 0.6), (1, 1, 0.6)]

# %% 3
from triptych.network.layers import GlobalAveragePool

layers = [GlobalAveragePool() if isinstance(node.layer, Flatten) else node.layer for node in talk.nodes]
smaller = sequence("smaller", (224, 224, 3), layers)
