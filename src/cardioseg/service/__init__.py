"""The HTTP service and its page: upload, segment, look, correct, download."""
