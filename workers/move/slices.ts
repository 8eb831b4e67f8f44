import { type Connection, type Part, prepared } from "../../shared/sqlite/connection.ts";
import { clearScratch } from "./scratch.ts";

/**
 * A batch of runs, cut into slices of tests: what one transaction handles. Runs are kept whole where they
 * fit; a run too large for one slice is cut, and its row and its own tables go with its first slice.
 */
export interface Slice {
  runs: readonly number[];
  /** Of a run that is cut: its tests from the id `from` on and below the id `below`. */
  part?: { first: boolean; from: number; below: number };
}

/** Index entries read in one statement: a millisecond or two of a shared lock. */
const gatherChunk = 20_000;

/** Fills `temp.batch_tests` with the tests of `runs` in all `parts`; returns how many each run has. */
export function gatherTests(
  db: Connection,
  runs: readonly number[],
  parts: readonly Part[],
): Map<number, number> {
  clearScratch(db, "batch_runs", "batch_tests");
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
    // Most batches fit into one chunk; only a large one is counted, and read piece by piece.
    const have = prepared<[], number>(db, "SELECT count(*) FROM temp.batch_tests").pluck().get() ?? 0;
    if (have < gatherChunk) continue;
    for (let offset = gatherChunk; offset < (total.get() ?? 0); offset += gatherChunk) gather.run(offset);
  }
  const counts = new Map(runs.map((run) => [run, 0]));
  for (const [run, count] of prepared<[], [number, number]>(
    db,
    "SELECT run_id, count(*) FROM temp.batch_tests GROUP BY run_id",
  )
    .raw()
    .all()) {
    counts.set(run, count);
  }
  return counts;
}

/** Cuts the batch in `temp.batch_tests` into slices, each of the size that is right when it is asked for. */
export class SliceCutter {
  readonly #db: Connection;
  readonly #size: () => number;
  readonly #counts: ReadonlyMap<number, number>;
  #runs: (readonly [run: number, tests: number])[];
  /** Of a run that is being cut: where its next slice begins. */
  #cut: { run: number; from: number } | undefined;

  /** @param counts tests by run, as `gatherTests` returns them */
  constructor(db: Connection, counts: ReadonlyMap<number, number>, size: () => number) {
    this.#db = db;
    this.#size = size;
    this.#counts = counts;
    this.#runs = [...counts];
  }

  /** The next slice; undefined at the end. */
  next(): Slice | undefined {
    if (this.#cut !== undefined) return this.#cutSlice(this.#cut.run, this.#cut.from, false);
    const size = this.#size();
    const first = this.#runs[0];
    if (first === undefined) return undefined;
    // A run that nearly fits is not cut: the size is an aim, with room above it.
    if (first[1] > size * 1.5) {
      this.#runs.shift();
      return this.#cutSlice(first[0], Number.MIN_SAFE_INTEGER, true);
    }
    const runs: number[] = [];
    for (let tests = 0; this.#runs[0] !== undefined; ) {
      const [run, count] = this.#runs[0];
      // A run without tests costs about as much as one test.
      if (runs.length > 0 && tests + count > size * 1.25) break;
      runs.push(run);
      tests += Math.max(count, 1);
      this.#runs.shift();
    }
    return { runs };
  }

  /** Leaves out what is still to come of a run that is being cut. */
  skipRest(): void {
    this.#cut = undefined;
  }

  /** These runs, which fit into one slice, are to come again. */
  putBack(runs: readonly number[]): void {
    this.#runs.unshift(...runs.map((run) => [run, this.#counts.get(run) ?? 0] as const));
  }

  #cutSlice(run: number, from: number, first: boolean): Slice {
    const below = prepared<[number, number, number], number>(
      this.#db,
      "SELECT id FROM temp.batch_tests WHERE run_id = ? AND id >= ? ORDER BY id LIMIT 1 OFFSET ?",
    )
      .pluck()
      .get(run, from, this.#size());
    this.#cut = below === undefined ? undefined : { run, from: below };
    return { runs: [run], part: { first, from, below: below ?? Number.MAX_SAFE_INTEGER } };
  }
}

/** Fills `temp.slice_runs` and `temp.slice_tests`; the runs' own rows belong to the first slice of a run only. */
export function enterSlice(db: Connection, slice: Slice): number {
  clearScratch(db, "slice_runs", "slice_tests");
  if (slice.part === undefined || slice.part.first) {
    const note = prepared(db, "INSERT INTO temp.slice_runs VALUES (?)");
    for (const run of slice.runs) note.run(run);
  }
  const tests =
    slice.part === undefined
      ? prepared(
          db,
          `INSERT OR IGNORE INTO temp.slice_tests
             SELECT b.id FROM temp.slice_runs AS s CROSS JOIN temp.batch_tests AS b ON b.run_id = s.id`,
        ).run()
      : prepared(
          db,
          `INSERT OR IGNORE INTO temp.slice_tests
             SELECT id FROM temp.batch_tests WHERE run_id = ? AND id >= ? AND id < ?`,
        ).run(slice.runs[0], slice.part.from, slice.part.below);
  return tests.changes;
}
