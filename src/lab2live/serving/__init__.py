"""The service: a bundle behind HTTP, for programs and for people."""
