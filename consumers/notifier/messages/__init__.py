"""What a notice says, the same for every channel: the events told as cards, the whole as a story."""
