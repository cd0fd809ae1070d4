# %% 1
most_frequent = np.bincount(labels[sides.train]).argmax()
always_the_same = np.mean(labels[sides.test] == most_frequent)

# %% 2
features = np.hstack((hog(images), colors(images)))

# %% 3
as_good_as_before = {"pixels", "colors"}
