# %% 1
one_step = (0.3 - 0.01 * 52, -0.3 - 0.01 * 15.6)
# %% 2
centered = np.hstack([x - x.mean(), np.ones_like(x)])
border = 2 / np.linalg.eigvalsh(2 * centered.T @ centered).max()
# %% 3
roots = np.sqrt(steep), np.sqrt(gentle)
settings = (4 / sum(roots) ** 2, ((roots[0] - roots[1]) / sum(roots)) ** 2)
