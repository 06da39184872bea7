"""The demonstration: a federation of real processes keeps real files through real losses, told as it happens."""
