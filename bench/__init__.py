"""Load and its figures: what the whole house does, measured from outside."""
