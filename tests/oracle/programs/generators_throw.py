"""throw() and close() through chains of `yield from`, with handlers that allocate and yield again."""


def leaf(log):
    try:
        while True:
            try:
                yield [len(log)]
            except ValueError as error:
                log.append(["leaf", error])
                yield {"after": [error]}
    finally:
        log.append(["leaf closed"] * 2)


def level(depth, log):
    try:
        if depth:
            yield from level(depth - 1, log)
        else:
            yield from leaf(log)
    except KeyError as error:
        log.append(
            [
                "caught",
                depth,
                error.__traceback__,
            ]
        )
        yield [depth] * 3
        raise
    finally:
        log.append({"level": depth, "list": [1.25 * depth]})


def throw_from(generator, error, depth):
    if depth:
        return throw_from(generator, error, depth - 1)
    return generator.throw(error)


KEEP = []
for depth in range(6):
    log = []
    generator = level(depth, log)
    KEEP += [generator, log, next(generator)]
    KEEP.append(throw_from(generator, ValueError([depth]), depth))
    KEEP.append(next(generator))
    KEEP.append(throw_from(generator, ValueError([depth]), 5 - depth))
    try:
        KEEP.append(throw_from(generator, KeyError(depth), 2))
        for _ in range(depth):
            KEEP.append(throw_from(generator, KeyError("again"), 1))
        generator.close()
    except KeyError as error:
        KEEP.append(error)
for depth in range(6):
    log = []
    generator = level(depth, log)
    KEEP += [log, next(generator)]
    generator.close()
    dropped = level(depth, log)
    next(dropped)
    del dropped
