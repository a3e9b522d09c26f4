"""The embedded platform: a Machines API that really runs machines on this computer."""
