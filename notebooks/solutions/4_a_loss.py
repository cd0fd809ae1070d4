# %% 1
cost = -np.log(0.7)

# %% 2
tries = np.linspace(0.01, 0.99, 99)
best = tries[np.argmin(-(80 * np.log(tries) + 20 * np.log(1 - tries)))]


# %% 3
def from_logits(logits, labels):
    """The cross-entropy of each row of logits."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]
