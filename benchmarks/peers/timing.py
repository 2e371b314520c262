"""How long a step takes, as the scripts here measure it."""
import time


def seconds(step, blocks=11, least=0.02):
    """CPU time of one call: the median of so many blocks of at least so many seconds."""
    def block(count):
        start = time.process_time()
        for _ in range(count):
            step()
        return time.process_time() - start

    count = 1
    while block(count) < least:
        count *= 2
    return sorted(block(count) for _ in range(blocks))[blocks // 2] / count
