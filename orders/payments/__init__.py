"""Taking the money of an order and giving it back, through whichever provider PAYMENT_GATEWAY names."""
