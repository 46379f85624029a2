"""The storefront: what a shopper's browser or an API client sees."""
