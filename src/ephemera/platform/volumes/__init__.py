"""Volumes: folders that outlive the machines they are mounted in, and snapshots of them."""
