"""The job layer: tasks, jobs, the supervisor that watches them."""
