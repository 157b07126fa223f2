"""The tutorial's training loop as it stands, and what settles its claims: algebra, exact points, torch's own code."""
