"""What is learned from: pictures found, checked, decoded once, given out in batches."""
