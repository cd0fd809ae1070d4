# %% 1
threshold = 0.5

# %% 2
feature = across * up


# %% 3
def most_right(units):
    """The most points that a network with so many hidden units has right, of five tries."""
    return max(learn(network(Dense(units), Tanh(), Dense(2)), by_place, seed)[1] for seed in range(5))


fewest = next(units for units in range(1, 10) if most_right(units) == 400)
