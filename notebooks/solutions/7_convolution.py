# %% 1
by_paper = ((16, 16, 8), 8 * (5 * 5 * 3 + 1))
# %% 2
mover = [[0, 0, 0], [1, 0, 0], [0, 0, 0]]
# %% 3
upstream = stream(7, "upstream").standard_normal((2, 3))

kernel_gradient = slide(image, upstream)
