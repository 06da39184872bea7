"""What a namespace's journal adds up to, as sorted rows, and the immutable tables that keep them in blocks."""
