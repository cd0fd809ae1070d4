# %% 1
times = np.sqrt(100_352 / 1_152)


# %% 2
def factor(n):
    return np.sqrt(2 / n)


# %% 3
steps = tuple(next(n for n in range(1, 1000) if kept**n < 0.01) for kept in (0.99, 0.9))
