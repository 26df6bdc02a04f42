"""Tickets: one for each place of a paid order."""
