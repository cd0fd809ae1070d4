"""What each difference between recipes is worth: `replay`."""
