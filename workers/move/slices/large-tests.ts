import { type Connection, type Part, prepared } from "../../../shared/sqlite/connection.ts";
import { preparedIds } from "../../../shared/sqlite/ids.ts";
import { lowestId } from "../../../shared/sqlite/run-id.ts";
import { childrenOf } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";

/** A test with more rows than `above` in one table is cut into pieces of `rowsPerCut` or more. Tests cut smaller ones. */
export const largeTest = { above: 2_000, rowsPerCut: 200 };

/** Rows that take about as long as one ordinary test. */
const rowsPerTest = 10;

/** A piece of one test's rows in one table, by id; both bounds are inclusive, undefined is no bound. */
export interface Piece {
  table: string;
  from: bigint | undefined;
  to: bigint | undefined;
  /** Work, in ordinary tests. */
  weight: number;
}

interface LargeTest {
  test: bigint;
  /** By table: the ids at which its rows may be cut. */
  cuts: Map<string, bigint[]>;
}

/** The tests in `temp.batch_tests` with too many rows in a table for one lock. */
export class LargeTests {
  /** By run, ordered by id. */
  readonly #found = new Map<bigint, LargeTest[]>();

  /**
   * Scans the gathered tests in short statements. Skips never-synced tables: their rows are identified by content,
   * which needs all rows of a test together.
   */
  constructor(db: Connection, part: Part, records: readonly RecordPlan[]) {
    for (const record of records) {
      if (record.parent === "test_id" && record.synced && record.columnsIn(part).length > 0)
        this.#find(db, part, record);
    }
    for (const tests of this.#found.values()) tests.sort((a, b) => (a.test < b.test ? -1 : 1));
  }

  /** Returns the first large test of a run with an id of `from` or above. */
  next(run: bigint, from: bigint): LargeTest | undefined {
    return this.#found.get(run)?.find(({ test }) => test >= from);
  }

  /** Yields a table's rows in pieces; `size`, in tests, is called for each. */
  *pieces(table: string, cuts: readonly bigint[], size: () => number): Generator<Piece> {
    let from: bigint | undefined;
    for (let index = 0; ; ) {
      const taken = Math.max(1, Math.round((size() * rowsPerTest) / largeTest.rowsPerCut));
      index += taken;
      const below = cuts[index - 1];
      yield {
        table,
        from,
        to: below === undefined ? undefined : below - 1n,
        weight: (taken * largeTest.rowsPerCut) / rowsPerTest,
      };
      if (below === undefined) return;
      from = below;
    }
  }

  #find(db: Connection, part: Part, record: RecordPlan): void {
    const large = prepared<[], [run: bigint, test: bigint]>(
      db,
      `SELECT s.run_id, s.id FROM ${childrenOf(part, record, "temp.batch_tests", "x")}
       GROUP BY s.run_id, s.id HAVING count(*) > ${largeTest.above}`,
    )
      .safeIntegers()
      .raw();
    const next = preparedIds<[bigint, bigint]>(
      db,
      `SELECT x.id FROM ${childrenOf(part, record, "(SELECT ? AS id)", "x")} WHERE x.id >= ? ORDER BY x.id LIMIT 1 OFFSET ${largeTest.rowsPerCut}`,
    );
    for (const [run, test] of large.all()) {
      const cuts: bigint[] = [];
      for (let at = next.get(test, lowestId); at !== undefined; at = next.get(test, at)) cuts.push(at);
      this.#note(run, test).cuts.set(record.table, cuts);
    }
  }

  #note(run: bigint, test: bigint): LargeTest {
    const tests = this.#found.get(run) ?? [];
    this.#found.set(run, tests);
    const known = tests.find((one) => one.test === test);
    if (known !== undefined) return known;
    const found = { test, cuts: new Map<string, bigint[]>() };
    tests.push(found);
    return found;
  }
}
