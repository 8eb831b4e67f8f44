import { type Connection, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { childrenOf } from "./children.ts";
import type { RecordPlan } from "./record-tables.ts";

/** A test with more rows than this in one table is worked on piece by piece. */
const largeAbove = 2_000;

/** Rows between two places where a table may be cut. */
const step = 200;

/** Rows that take about as long as one test of the usual kind. */
const rowsPerTest = 10;

/** Some of one test's rows in one table, by id; both ends belong to it, undefined is no bound. */
export interface Piece {
  table: string;
  from: number | undefined;
  to: number | undefined;
  /** The work it makes, in tests of the usual kind. */
  weight: number;
}

interface LargeTest {
  test: number;
  /** By table: the ids at which its rows may be cut. */
  cuts: Map<string, number[]>;
}

/** Of the tests in `temp.batch_tests`, those with so many rows in a table that one lock over them would last. */
export class LargeTests {
  /** By run, in the order of ids. */
  readonly #found = new Map<number, LargeTest[]>();

  /**
   * Looks through the tests gathered, a short statement at a time. Tables that never sync are left out: there a row is
   * told by its content, which only all rows of a test together can say.
   */
  constructor(db: Connection, part: Part, records: readonly RecordPlan[]) {
    for (const record of records) {
      if (record.parent === "test_id" && record.synced && record.columnsIn(part).length > 0)
        this.#find(db, part, record);
    }
    for (const tests of this.#found.values()) tests.sort((a, b) => a.test - b.test);
  }

  /** The first large test of a run with an id of `from` or above. */
  next(run: number, from: number): LargeTest | undefined {
    return this.#found.get(run)?.find(({ test }) => test >= from);
  }

  /** A table's rows in pieces, each of the size, in tests, that is right when it is asked for. */
  *pieces(table: string, cuts: readonly number[], size: () => number): Generator<Piece> {
    let from: number | undefined;
    for (let index = 0; ; ) {
      const steps = Math.max(1, Math.round((size() * rowsPerTest) / step));
      index += steps;
      const below = cuts[index - 1];
      yield {
        table,
        from,
        to: below === undefined ? undefined : below - 1,
        weight: (steps * step) / rowsPerTest,
      };
      if (below === undefined) return;
      from = below;
    }
  }

  #find(db: Connection, part: Part, record: RecordPlan): void {
    const large = prepared<[], [run: number, test: number]>(
      db,
      `SELECT s.run_id, s.id FROM ${childrenOf(part, record, "temp.batch_tests", "x")}
       GROUP BY s.run_id, s.id HAVING count(*) > ${largeAbove}`,
    ).raw();
    const next = prepared<[number, number], number>(
      db,
      `SELECT x.id FROM ${childrenOf(part, record, "(SELECT ? AS id)", "x")} WHERE x.id >= ? ORDER BY x.id LIMIT 1 OFFSET ${step}`,
    ).pluck();
    for (const [run, test] of large.all()) {
      const cuts: number[] = [];
      for (let at = next.get(test, Number.MIN_SAFE_INTEGER); at !== undefined; at = next.get(test, at))
        cuts.push(at);
      this.#note(run, test).cuts.set(record.table, cuts);
    }
  }

  #note(run: number, test: number): LargeTest {
    const tests = this.#found.get(run) ?? [];
    this.#found.set(run, tests);
    const known = tests.find((one) => one.test === test);
    if (known !== undefined) return known;
    const found = { test, cuts: new Map<string, number[]>() };
    tests.push(found);
    return found;
  }
}
