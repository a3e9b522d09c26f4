"""The stores there are: in memory for tests, in an SQL database for everything else."""
