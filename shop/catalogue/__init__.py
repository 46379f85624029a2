"""What is for sale: categories and products with their price, tax and picture. Stock belongs to orders.inventory."""
