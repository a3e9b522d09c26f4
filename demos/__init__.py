"""Small working applications: what the documentation shows and the acceptance tests run."""
