"""The service and the page, asked over HTTP."""
