"""Where providers report to us."""
