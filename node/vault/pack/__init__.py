"""Small objects out of the journal into packs, and back."""
