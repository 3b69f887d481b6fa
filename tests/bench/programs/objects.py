"""What Python programs do: numbers, strings, dictionaries, objects, sorting, a regular expression, JSON."""
import json
import re


class Account:
    def __init__(self, owner, balance):
        self.owner, self.balance = owner, balance

    def move(self, other, amount):
        if self.balance >= amount:
            self.balance -= amount
            other.balance += amount


def queens(n, row=0, columns=0, left=0, right=0):
    if row == n:
        return 1
    free = ~(columns | left | right) & (1 << n) - 1
    count = 0
    while free:
        bit = free & -free
        free -= bit
        count += queens(n, row + 1, columns | bit, (left | bit) << 1, (right | bit) >> 1)
    return count


def accounts():
    all_of_them = [Account(f'owner {i}', 100 + i) for i in range(200)]
    for i in range(60000):
        all_of_them[i * 7 % 200].move(all_of_them[i * 13 % 200], i % 50)
    return sum(a.balance * (i + 1) for i, a in enumerate(all_of_them))


def texts():
    words = [f'w{i * i % 997}x{i % 31}' for i in range(30000)]
    counts = {}
    for w in words:
        counts[w] = counts.get(w, 0) + 1
    best = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:50]
    found = re.findall(r'w(\d+)x1(\d)\b', ' '.join(words))
    again = json.loads(json.dumps({'best': best, 'found': found}))
    return len(again['found']), again['best'][:3]


def floats():
    total = 0.0
    for i in range(1, 150000):
        total += 1 / i ** 2 if i % 3 else i ** .5 / 1000
    return f'{total:.9f}', 3 ** 2000 % 1000007


print(queens(7), accounts(), texts(), floats())
