"""sqlite3 with Python functions, aggregates, collations, adapters, converters, row and trace callbacks."""

import sqlite3

KEEP = []


class Point:
    def __init__(self, x):
        self.x = [x]

    def __conform__(self, protocol):
        return str(self.x[0])


class Longest:
    def __init__(self):
        self.seen = []

    def step(self, value):
        self.seen.append([value])

    def finalize(self):
        return str(self.seen)


connection = sqlite3.connect(":memory:", detect_types=sqlite3.PARSE_DECLTYPES)
sqlite3.register_converter("point", lambda raw: [raw, Point(float(raw))])
connection.create_function("wrap", 1, lambda value: str([value]) * 3)
connection.create_aggregate("longest", 1, Longest)
connection.create_collation("odd", lambda a, b: (len([a, b]), a > b)[1] - (a < b))
connection.set_trace_callback(lambda statement: KEEP.append([statement]))
connection.execute("create table t (id integer primary key, name text, place point)")
connection.executemany(
    "insert into t (name, place) values (?, ?)", ((f"name {n}", Point(n)) for n in range(200))
)
connection.commit()
KEEP.append(connection.execute("select * from t").fetchall())
KEEP.append(connection.execute("select wrap(name), place from t where id < 50").fetchall())
KEEP.append(connection.execute("select longest(name) from t").fetchone())
KEEP.append(connection.execute("select name from t order by name collate odd").fetchmany(30))
connection.row_factory = lambda cursor, row: {
    column[0]: [value] for column, value in zip(cursor.description, row)
}
KEEP.append(connection.execute("select id, name from t where id % 7 = 0").fetchall())
connection.row_factory = sqlite3.Row
KEEP.append([row for row in connection.execute("select * from t limit 20")])
try:
    connection.execute("select nonsense from t")
except sqlite3.OperationalError as error:
    KEEP.append(error)
KEEP.append(connection)
