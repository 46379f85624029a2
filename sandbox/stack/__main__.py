"""What `python -m sandbox.stack` runs."""
print("cli")
