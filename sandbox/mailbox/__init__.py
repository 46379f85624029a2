"""The mailbox: an SMTP server that delivers every mail to one page, beside the text messages."""
