"""Messages to the customer about the order: a module for each channel, a row for each message."""
