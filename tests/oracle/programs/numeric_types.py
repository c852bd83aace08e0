# ruff: noqa: E501
"""decimal, fractions, big integers, complex, random, statistics, datetime: C types with memory of their own."""

import datetime
import decimal
import fractions
import math
import random
import statistics

KEEP = []
decimal.getcontext().prec = 60
for n in range(1, 60):
    KEEP.append(decimal.Decimal(n) / 7)
    KEEP.append((decimal.Decimal(n) ** n).sqrt())
    KEEP.append(fractions.Fraction(n, 7) ** 9)
    KEEP.append([n**n, math.factorial(n), pow(n, 200), n**40 % (7**20)])
    KEEP.append([complex(n, n) ** 2, float(n) ** 0.5, -float(n)])
    KEEP.append(datetime.datetime(2020, 1, 1) + datetime.timedelta(days=n, seconds=n))
with decimal.localcontext() as context:
    context.prec = 500
    KEEP.append([decimal.Decimal(2).sqrt(), decimal.Decimal("1e400").ln(), context.copy()])
KEEP.append(str(3**5000))
KEEP.append(int("9" * 3000))
source = random.Random(7)
sample = [source.random() for _ in range(500)]
KEEP.append([sample, source.getstate(), source.sample(range(1000), 100)])
KEEP.append([statistics.mean(sample), statistics.quantiles(sample, n=20)])
total = 0.0
for value in sample:
    total += value * 1.5
KEEP.append(total)
KEEP.append(sorted(map(decimal.Decimal, sample[:100]), reverse=True))
