"""What an app keeps secret: values for its machines, and keys that never leave the platform."""
