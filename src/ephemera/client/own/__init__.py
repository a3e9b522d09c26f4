"""What the embedded platform can do beyond the Machines API, from the caller's side.

A face for each part, in a module of its own. They are apart from `Client`, which holds nothing
that Fly.io does not have.
"""
