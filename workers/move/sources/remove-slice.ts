import { performance } from "node:perf_hooks";
import { type Connection, prepared, quoteText } from "../../../shared/sqlite/connection.ts";
import { idList } from "../../../shared/sqlite/ids.ts";
import { withoutTriggers } from "../../../shared/sqlite/triggers.ts";
import type { Source } from "../../area-db/databases.ts";
import { assertDeleted } from "../../records/assert-deleted.ts";
import { rowsOfSlice } from "../../records/child-index.ts";
import type { RecordPlan } from "../../records/record-tables.ts";
import { type RowIds, runsNamedBy, separateReusedIds } from "../ids/reused-ids.ts";
import { enterSlice, type Slice } from "../slices/slices.ts";
import { Blocked, checkSlice, refuseMismatches } from "./check-slice.ts";
import { type Comparison, findMismatches } from "./compare-rows.ts";
import type { SourceSession } from "./source-session.ts";

export interface SliceRemoval {
  /** Removes rows that have changed: once a run is begun, it is finished. */
  force: boolean;
  /** See `Comparison`. */
  keptSince: bigint | undefined;
  /** `readVersion` before the runs were copied. */
  readAt: number | undefined;
  /** Rows deleted so far, by table; added to. */
  removed: Record<string, number>;
  /** Runs with reused ids here; added to. */
  reusedIds: Set<bigint>;
}

interface Deletion {
  /** The current slice; see `enterSlice`. */
  slice: Slice;
  how: SliceRemoval;
  /** Work of the slice, in ordinary tests. */
  tests: number;
}

/** Result of comparing a slice. */
interface Compared {
  /** The comparison is valid while this is unchanged under the lock. */
  version: number;
  /** Rows of reused ids, which stay. */
  spared: RowIds;
}

/** Returns a number that changes when another connection commits to the part, but not for commits of this one. */
export function readVersion(db: Connection, part: Source): number {
  return db.pragma(`${part}.data_version`, { simple: true }) as number;
}

/** Deletes slices from one database, each after all its rows were compared with their copies. */
export class SliceRemover {
  readonly #session: SourceSession;

  constructor(session: SourceSession) {
    this.#session = session;
  }

  /** Returns how rows are compared. */
  comparison(keptSince: bigint | undefined): Comparison {
    const { part, fresh } = this.#session;
    return { part, fresh, keptSince };
  }

  /** Compares and deletes a slice. Returns what is in the way, having changed nothing. */
  async remove(slice: Slice, how: SliceRemoval): Promise<Blocked | undefined> {
    const session = this.#session;
    const enter = () => session.read(() => enterSlice(session.db, slice));
    const deletion = { slice, how, tests: await enter() };
    try {
      // With frequent writers a comparison before the lock would be repeated under it.
      if (!session.gaps.isLikely) {
        const seen = await session.read(() => this.#compare(slice, how));
        await session.passGap();
        if (await session.read(() => this.#delete(deletion, seen))) return undefined;
        await enter();
      }
      await session.passGap();
      await session.read(() => this.#delete(deletion));
      return undefined;
    } catch (error) {
      if (error instanceof Blocked) return error;
      throw error;
    }
  }

  /**
   * Compares the current slice without a write lock.
   *
   * @throws Blocked
   */
  #compare(slice: Slice, how: SliceRemoval): Compared {
    const { db, part, batchSize } = this.#session;
    const started = performance.now();
    const version = readVersion(db, part);
    const spared = this.#refuseNews(slice, how, version);
    batchSize.hold(performance.now() - started);
    return { version, spared };
  }

  /**
   * Compares the rows that another connection may have written since they were read, and always those that were not
   * read completely.
   * Returns the rows of reused ids, which stay.
   */
  #refuseNews(slice: Slice, { force, keptSince, readAt }: SliceRemoval, version: number): RowIds {
    const { db, part, fresh, records } = this.#session;
    const known = checkSlice(db, part, records, slice);
    if (known.tests.length > 0 && !force) throw new Blocked(new Map(), slice.runs, false);
    const asRead = version === readAt && known.runs.length === 0 && known.tests.length === 0;
    // Values in columns that the sync does not carry were copied from the fresh part alone.
    const isRead = (record: RecordPlan) =>
      record.synced && (part === fresh || record.uncarried(part).length === 0);
    const compared = asRead ? records.filter((record) => !isRead(record)) : records;
    const found = findMismatches(db, compared, this.comparison(keptSince));
    const spared: RowIds = force ? separateReusedIds(db, { part, fresh, records, found, known }) : new Map();
    refuseMismatches(db, part, found, slice);
    return spared;
  }

  /**
   * Deletes the current slice in one transaction: checks the token and that the rows are those compared.
   *
   * @param seen the comparison; undefined: compare here, under the lock
   * @returns false, having changed nothing, if another connection has written since
   * @throws Blocked
   */
  #delete({ slice, how, tests }: Deletion, seen?: Compared): boolean {
    const { db, part, records, batchSize, failpoint } = this.#session;
    let lockedAt = 0;
    const removed: [string, number][] = [];
    let spared: RowIds = seen?.spared ?? new Map();
    // First the lock that only this program's copying can delay, so that no client waits for it.
    const lockCopies = () => {
      if (seen === undefined) prepared(db, "SELECT 1 FROM completed.mtjobs_fence").get();
    };
    try {
      const erase = () => {
        lockedAt = performance.now();
        const version = readVersion(db, part);
        this.#session.gaps.note(version);
        if (seen === undefined) spared = this.#refuseNews(slice, how, version);
        else if (version !== seen.version) return false;
        else checkSlice(db, part, records, slice);
        withoutTriggers(db, part, () => {
          for (const record of records.toReversed())
            removed.push([record.table, deleteSlice(db, part, record, spared.get(record) ?? [])]);
        });
        failpoint(`deleted-in-${part}`);
        return true;
      };
      if (!this.#session.commitRows(part, erase, lockCopies)) return false;
    } finally {
      if (lockedAt > 0) {
        batchSize.hold(performance.now() - lockedAt);
        batchSize.settle(tests);
      }
    }
    for (const run of runsNamedBy(db, spared)) how.reusedIds.add(run);
    for (const [table, count] of removed) how.removed[table] = (how.removed[table] ?? 0) + count;
    return true;
  }
}

const bound = (end: "low" | "high", table: string) =>
  `(SELECT ${end} FROM temp.slice_rows WHERE table_name = ${quoteText(table)})`;

/** Deletes the rows of the current slice except `spared`; returns how many. */
function deleteSlice(db: Connection, part: Source, record: RecordPlan, spared: readonly bigint[]): number {
  const { table, parent } = record;
  if (record.columnsIn(part).length === 0) return 0;
  const indexed = record.indexedIn(part);
  const piece = `id BETWEEN ${bound("low", table)} AND ${bound("high", table)}`;
  const where =
    table === "tests"
      ? `id IN (SELECT id FROM temp.slice_tests) AND ${piece}`
      : parent === "test_id" && indexed
        ? `test_id IN (SELECT id FROM temp.slice_tests) AND ${piece}`
        : parent === "run_id" && indexed
          ? "run_id IN (SELECT id FROM temp.slice_runs)"
          : `id IN (SELECT x.id FROM ${rowsOfSlice(part, record, "x")})`;
  const rows = `${part}.${table} WHERE ${where}`;
  const others = " AND id NOT IN (SELECT value FROM json_each(?))";
  const [going, parameters] = spared.length === 0 ? [rows, []] : [rows + others, [idList(spared)]];
  const { changes } = prepared<string[]>(db, `DELETE FROM ${going}`).run(...parameters);
  assertDeleted(db, part, table, { going, parameters });
  return changes;
}
