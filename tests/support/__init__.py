"""What the system scenarios share: the stack as its operator sees it, and the shop as its buyers do."""
