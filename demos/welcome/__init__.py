"""A web application with one background job, which gets a machine of its own."""
