"""What is learned: layers, architectures, conventions, weights. NumPy, no framework."""
