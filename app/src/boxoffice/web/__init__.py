"""What all pages share: transactions, cookies, headers, errors, templates."""
