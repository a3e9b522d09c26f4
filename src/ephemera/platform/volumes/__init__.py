"""Volumes: folders and disks that outlive the machines they are mounted in, and their snapshots."""
