# %% 1
traces = 4  # a scalar, a vector, and the Python numbers 1.0 and 2.0
# %% 2
kernel = stream(8, "kernel").standard_normal((2 * 3 * 4, 5))

weight = kernel.reshape(2, 3, 4, 5).transpose(3, 2, 0, 1).reshape(5, -1)
# %% 3
program = """
import jax.numpy as jnp
from jax import lax


def steps(n):
    def go_on(state):
        return state[0] != 1

    def move(state):
        n, count = state
        return jnp.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

    return lax.while_loop(go_on, move, (n, 0))[1]
"""
