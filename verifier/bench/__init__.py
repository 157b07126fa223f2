"""What a training step costs along the three paths, in time and memory, by timings that doubt themselves."""
