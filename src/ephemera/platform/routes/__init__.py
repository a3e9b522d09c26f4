"""The endpoints: read the request, ask the platform, show the answer. Nothing is decided here."""
