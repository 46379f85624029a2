"""What the templates of orders can say beyond Django's own tags."""
