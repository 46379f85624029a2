"""The REST API: products to browse, orders to place, follow and cancel. Every error is a problem (RFC 9457)."""
