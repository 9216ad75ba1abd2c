"""The state of all users: a row a user, pure numpy."""
