"""What is learned from: images found, checked, decoded once, given out in batches."""
