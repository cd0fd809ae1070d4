# %% 1
answer0 = 2
# %% 2
answer1 = 2
# %% 3
answer2 = 2
