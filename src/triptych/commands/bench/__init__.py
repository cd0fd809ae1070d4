"""What each framework costs on this machine: `bench`."""
