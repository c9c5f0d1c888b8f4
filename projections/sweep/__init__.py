"""What generations leave behind."""
