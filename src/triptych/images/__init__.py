"""What is learned from: pictures found, checked, decoded once, and handed out in batches."""
