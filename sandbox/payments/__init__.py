"""The payment provider: cards, intents, 3-D Secure and webhooks, shaped as Stripe's PaymentIntents."""
