"""The outbox: work that a committed transaction owes, done once however often it is asked for."""
