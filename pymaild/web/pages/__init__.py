"""The rooms of the webmail: one module each, one function per screen or action."""
