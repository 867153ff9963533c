"""What the domain name system says, and what follows from it for a sender or a destination."""
