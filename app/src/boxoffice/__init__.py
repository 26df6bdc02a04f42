"""The box office: a ticket shop that keeps its promises while machines fail."""

__version__ = "0.1.0"
