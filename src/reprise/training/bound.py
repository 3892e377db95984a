"""What holds training up, data or computation, in words."""

_WORTH_A_WORD = 0.1  # of the time: without it training would be 1.1 times as fast


def verdict(waited_s: float, seconds: float) -> str:
    """Say what holds training up, and what would change it.

    Args:
        waited_s: Seconds in which the step waited for data.
        seconds: All of them, more than 0.
    """
    share = min(waited_s / seconds, 0.99)
    waiting = f"{share:.0%} of the time was spent waiting for data"
    if share < _WORTH_A_WORD:
        return f"compute-bound: {waiting}; more workers would change little"
    return (
        f"data-bound: {waiting}; without it training would be {1 / (1 - share):.1f} times as fast\n"
        "what to change: loader.workers (as many as there are cores), or loader.cache, which keeps "
        "decoded samples;\nwhere the time goes: make profile exp=NAME"
    )
