"""What is learned: layers, architectures, conventions and weights. NumPy only, no framework."""
