"""Mail: messages built here, sent once."""
