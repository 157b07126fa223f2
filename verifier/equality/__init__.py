"""Whether two expressions are equal: normal forms where there are some, exact values at rational points elsewhere."""
