"""Compare: one network, one folder of pictures, several frameworks side by side."""
