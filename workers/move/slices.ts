import { type Connection, type Part, prepared } from "../sqlite/connection.ts";
import { clearScratch } from "./scratch.ts";

/**
 * A batch of runs, cut into slices of tests: what one transaction handles. Runs are kept whole where they
 * fit; a run too large for one slice is cut, and its row and its own tables go with its first slice.
 */
export interface Slice {
  runs: readonly number[];
  /** Of a run that is cut: from which of its tests on (0 for the first slice), and how many. */
  part?: { offset: number; count: number; last: boolean };
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

/** Cuts a batch into slices of about `size` tests. */
export function cutSlices(counts: ReadonlyMap<number, number>, size: number): Slice[] {
  const slices: Slice[] = [];
  let runs: number[] = [];
  let tests = 0;
  const close = () => {
    if (runs.length > 0) slices.push({ runs });
    runs = [];
    tests = 0;
  };
  for (const [run, count] of counts) {
    // A run that nearly fits is not cut: the size is an aim, with room above it.
    if (count > size * 1.5) {
      close();
      for (let offset = 0; offset < count; offset += size) {
        slices.push({ runs: [run], part: { offset, count: size, last: offset + size >= count } });
      }
      continue;
    }
    // A run without tests costs about as much as one test.
    if (tests > 0 && tests + count > size * 1.25) close();
    runs.push(run);
    tests += Math.max(count, 1);
  }
  close();
  return slices;
}

/** Fills `temp.slice_runs` and `temp.slice_tests`; the runs' own rows belong to the first slice of a run only. */
export function enterSlice(db: Connection, slice: Slice): number {
  clearScratch(db, "slice_runs", "slice_tests");
  if (slice.part === undefined || slice.part.offset === 0) {
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
             SELECT id FROM temp.batch_tests WHERE run_id = ? ORDER BY id LIMIT ? OFFSET ?`,
        ).run(slice.runs[0], slice.part.count, slice.part.offset);
  return tests.changes;
}
