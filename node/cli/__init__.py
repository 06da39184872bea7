"""."""


def main() -> None:
    pass
