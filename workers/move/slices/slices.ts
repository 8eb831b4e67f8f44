import { defined } from "../../../shared/defined.ts";
import { type Connection, type Part, prepared } from "../../../shared/sqlite/connection.ts";
import { idAfter, preparedIds } from "../../../shared/sqlite/ids.ts";
import { highestId, lowestId } from "../../../shared/sqlite/run-id.ts";
import { clearTempTables } from "../../records/temp-tables.ts";
import type { LargeTests, Piece } from "./large-tests.ts";

/**
 * Tests of some runs, for one transaction. Runs that fit are kept whole; a larger run is cut, and its row and its own
 * tables belong to its first slice.
 */
export interface Slice {
  runs: readonly bigint[];
  /** For a cut run: its tests from the id `from` on, below the id `below` if defined. */
  range?: { first: boolean; from: bigint; below: bigint | undefined };
  /** For a range that is one large test: some of its rows in one table, or all rows except those in some tables. */
  rows?: Piece | { except: readonly string[] };
  /** The next slice has more of the same test. */
  more?: boolean;
}

/** Order of a large test's slices: its own row before its children, or after them. */
export type TestOrder = "parents-first" | "children-first";

/** How to cut tests that are too large for one slice. */
interface LargeCut {
  tests: LargeTests;
  order: TestOrder;
}

/** Index entries read in one statement: a millisecond or two of a shared lock. */
const gatherChunk = 20_000;

/**
 * Fills `temp.batch_tests` with the tests of `runs` in all `parts`; returns the number per run.
 *
 * @param gatherMore adds others of these runs
 */
export function gatherTests(
  db: Connection,
  runs: readonly bigint[],
  parts: readonly Part[],
  gatherMore: () => void = () => {},
): Map<bigint, number> {
  clearTempTables(db, "batch_runs", "batch_tests");
  const note = prepared(db, "INSERT OR IGNORE INTO temp.batch_runs VALUES (?)");
  for (const run of runs) note.run(run);
  for (const part of parts) {
    const gather = prepared(
      db,
      `INSERT OR IGNORE INTO temp.batch_tests (run_id, id)
       SELECT t.run_id, t.id FROM temp.batch_runs AS b CROSS JOIN ${part}.tests AS t ON t.run_id = b.id
       LIMIT ${gatherChunk} OFFSET ?`,
    );
    const total = prepared<[], number>(
      db,
      `SELECT count(*) FROM temp.batch_runs AS b CROSS JOIN ${part}.tests AS t ON t.run_id = b.id`,
    ).pluck();
    gather.run(0);
    // Most batches fit into one chunk; only a large one is counted and read in pieces.
    const have = prepared<[], number>(db, "SELECT count(*) FROM temp.batch_tests").pluck().get() ?? 0;
    if (have < gatherChunk) continue;
    for (let offset = gatherChunk; offset < (total.get() ?? 0); offset += gatherChunk) gather.run(offset);
  }
  gatherMore();
  const counts = new Map(runs.map((run) => [run, 0]));
  for (const [run, count] of prepared<[], [bigint, bigint]>(
    db,
    "SELECT run_id, count(*) FROM temp.batch_tests GROUP BY run_id",
  )
    .safeIntegers()
    .raw()
    .all()) {
    counts.set(run, Number(count));
  }
  return counts;
}

/** Cuts the batch in `temp.batch_tests` into slices; calls `size` for each. */
export class SliceCutter {
  readonly #db: Connection;
  readonly #size: () => number;
  readonly #counts: ReadonlyMap<bigint, number>;
  readonly #large: LargeCut | undefined;
  #runs: (readonly [run: bigint, tests: number])[];
  /** The rest of a run that is being cut. */
  #cut: Generator<Slice> | undefined;

  /**
   * @param counts tests by run, from `gatherTests`
   * @param large without it no test is cut
   */
  constructor(db: Connection, counts: ReadonlyMap<bigint, number>, size: () => number, large?: LargeCut) {
    this.#db = db;
    this.#size = size;
    this.#counts = counts;
    this.#large = large;
    this.#runs = [...counts];
  }

  /** Returns the next slice; undefined at the end. */
  next(): Slice | undefined {
    const cut = this.#cut?.next();
    if (cut?.done === false) return cut.value;
    this.#cut = undefined;
    const size = this.#size();
    const first = this.#runs[0];
    if (first === undefined) return undefined;
    if (this.#mustBeCut(first, size)) {
      this.#runs.shift();
      this.#cut = this.#cutRun(first[0]);
      return this.next();
    }
    const runs: bigint[] = [];
    for (let tests = 0; this.#runs[0] !== undefined; ) {
      const [run, count] = this.#runs[0];
      // A run without tests costs about as much as one test.
      if (runs.length > 0 && (tests + count > size * 1.25 || this.#mustBeCut([run, count], size))) break;
      runs.push(run);
      tests += Math.max(count, 1);
      this.#runs.shift();
    }
    return { runs };
  }

  /** Skips the rest of a run that is being cut. */
  skipRest(): void {
    this.#cut = undefined;
  }

  /** Returns runs, which fit into one slice, to the batch. */
  putBack(runs: readonly bigint[]): void {
    this.#runs.unshift(...runs.map((run) => [run, this.#counts.get(run) ?? 0] as const));
  }

  /** A run that nearly fits is not cut: the size is a target, with room above it. */
  #mustBeCut([run, tests]: readonly [run: bigint, tests: number], size: number): boolean {
    return tests > size * 1.5 || this.#nextLarge(run, lowestId) !== undefined;
  }

  #nextLarge(run: bigint, from: bigint) {
    return this.#large?.tests.next(run, from);
  }

  /** Cuts a run by the number of tests up to its next large test, and so on. */
  *#cutRun(run: bigint): Generator<Slice> {
    const at = preparedIds<[bigint, bigint, number]>(
      this.#db,
      "SELECT id FROM temp.batch_tests WHERE run_id = ? AND id >= ? ORDER BY id LIMIT 1 OFFSET ?",
    );
    let [from, first] = [lowestId, true];
    for (;;) {
      const large = this.#nextLarge(run, from);
      const nearest = at.get(run, from, 0);
      if (nearest === undefined && !first) return;
      let below: bigint | undefined;
      if (large !== undefined && large.test === nearest) {
        below = idAfter(from, large.test);
        yield* this.#cutTest(run, { first, from, below }, large.cuts);
      } else {
        below = lower(at.get(run, from, this.#size()), large?.test);
        yield { runs: [run], range: { first, from, below } };
      }
      if (below === undefined) return;
      [from, first] = [below, false];
    }
  }

  *#cutTest(
    run: bigint,
    range: NonNullable<Slice["range"]>,
    cuts: ReadonlyMap<string, readonly bigint[]>,
  ): Generator<Slice> {
    const slice: Slice = { runs: [run], range: { ...range, first: false } };
    const parentsFirst = this.#large?.order === "parents-first";
    let first = range.first;
    if (parentsFirst) {
      yield { runs: [run], range, rows: { except: [...cuts.keys()] }, more: true };
      first = false;
    }
    const tables = [...cuts];
    for (const [table, ids] of tables) {
      for (const rows of this.#large?.tests.pieces(table, ids, this.#size) ?? []) {
        const isLast = rows.to === undefined && table === tables.at(-1)?.[0];
        yield { ...slice, range: { ...range, first }, rows, more: !(parentsFirst && isLast) };
        first = false;
      }
    }
    // Includes rows that came to the test since.
    if (!parentsFirst) yield slice;
  }
}

/** Returns the lower of two ids, or the one that is defined. */
function lower(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  return a === undefined || (b !== undefined && b < a) ? b : a;
}

const lastOf = ({ below }: NonNullable<Slice["range"]>) => (below === undefined ? highestId : below - 1n);

/**
 * Fills `temp.slice_runs`, `temp.slice_tests` and `temp.slice_rows`; the runs' own rows belong to a run's first slice
 * only.
 *
 * @returns its work, in ordinary tests
 */
export function enterSlice(db: Connection, slice: Slice): number {
  const { rows } = slice;
  clearTempTables(db, "slice_runs", "slice_tests", "slice_rows");
  if (slice.range === undefined || slice.range.first) {
    const note = prepared(db, "INSERT INTO temp.slice_runs VALUES (?)");
    for (const run of slice.runs) note.run(run);
  }
  const tests =
    slice.range === undefined
      ? prepared(
          db,
          `INSERT OR IGNORE INTO temp.slice_tests
             SELECT b.id FROM temp.slice_runs AS s CROSS JOIN temp.batch_tests AS b ON b.run_id = s.id`,
        ).run()
      : prepared(
          db,
          `INSERT OR IGNORE INTO temp.slice_tests
             SELECT id FROM temp.batch_tests WHERE run_id = ? AND id BETWEEN ? AND ?`,
        ).run(slice.runs[0], slice.range.from, lastOf(slice.range));
  if (rows !== undefined && "table" in rows) {
    enterRows(db, "SELECT :table AS table_name", rows);
    return rows.weight;
  }
  enterRows(
    db,
    "SELECT table_name FROM temp.test_tables WHERE table_name NOT IN (SELECT value FROM json_each(:except))",
    {
      except: JSON.stringify(rows?.except ?? []),
    },
  );
  return tests.changes;
}

function enterRows(
  db: Connection,
  tables: string,
  { table, from, to, except }: Partial<Piece> & { except?: string },
): void {
  prepared(
    db,
    `INSERT INTO temp.slice_rows SELECT table_name, coalesce(:from, -9223372036854775807 - 1), coalesce(:to, 9223372036854775807)
     FROM (${tables})`,
  ).run({
    from: from ?? null,
    to: to ?? null,
    ...defined({ table, except }),
  });
}
