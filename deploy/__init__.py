"""What servers need beside the shop itself: the image, the proxy, health checks, beat with a heartbeat."""
