"""Compare: one network, one folder of images, several frameworks side by side."""
