"""Exports: attendee lists, made by a worker, kept in the database so that any host has them."""
