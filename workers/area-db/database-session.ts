import { assertInPlace, type Connection, type Part } from "../../shared/sqlite/connection.ts";
import { type IdRange, lastOfNext, preparedIds, walkIds } from "../../shared/sqlite/ids.ts";
import type { CacheTimes } from "./cache-mtime.ts";
import { assertFenceToken } from "./fence.ts";
import { retryWhileBusy, transact, transactPatiently } from "./transaction.ts";

export interface SessionOptions {
  db: Connection;
  signal: AbortSignal;
  /** Keeps the cache's modification time; undefined for a session that only reads. */
  times?: CacheTimes | undefined;
  /** Fence token; 0 for a session that only reads. */
  token?: number | undefined;
}

/**
 * Databases on one connection, read and written by the rules that hold for all of an area: what meets a lock is
 * tried again, and every write transaction first asserts the fence token.
 */
export class DatabaseSession {
  readonly db: Connection;
  readonly signal: AbortSignal;
  times: CacheTimes | undefined;
  /** Fence token; 0 until the lease is taken. */
  token: number;

  constructor({ db, signal, times, token = 0 }: SessionOptions) {
    this.db = db;
    this.signal = signal;
    this.times = times;
    this.token = token;
  }

  /**
   * Runs `body`, again while a database is busy: it must be safe to repeat.
   *
   * @throws JobsError `busy` after two minutes, `corrupt`; the signal's reason
   */
  read<T>(body: () => T): Promise<T> {
    return retryWhileBusy(this.signal, body);
  }

  /**
   * One short write transaction on `part`. `body` must be safe to repeat.
   *
   * @throws JobsError `lost-lease` if another worker took over the area; as `read`
   */
  commit<T>(part: Part, body: () => T): Promise<T> {
    return this.read(() => this.commitOnce(part, body));
  }

  /**
   * `commit` without retries, for use inside `read`. Every database must be in its place: rows leave one because
   * another has them.
   *
   * @param beforeLock runs in the transaction, before it takes the write lock on `part`
   */
  commitOnce<T>(part: Part, body: () => T, beforeLock?: () => void): T {
    if (part === "area") this.keepCacheNewer();
    return transact(this.db, () => {
      beforeLock?.();
      assertInPlace(this.db);
      assertFenceToken(this.db, part, this.token, Date.now());
      return body();
    });
  }

  /** `commitOnce` of much into completed-runs.db: waits for its readers, for no Megatest waits for this lock. */
  commitPatiently<T>(part: "completed", body: () => T): T {
    return transactPatiently(this.db, () => {
      assertInPlace(this.db);
      assertFenceToken(this.db, part, this.token, Date.now());
      return body();
    });
  }

  /** Makes the cache newer than megatest.db, so that Megatest does not refill it. Call right before a write to megatest.db. */
  keepCacheNewer(): void {
    this.times?.renew();
  }

  /**
   * Ranges of ids that cover a table, each of up to `size` rows; the event loop runs between two.
   *
   * @param table with its database, such as `cache.tests`
   */
  idRanges(table: string, size: number): AsyncGenerator<IdRange> {
    return this.idRangesBy((from) =>
      preparedIds<[bigint], bigint | null>(this.db, lastOfNext(table, size)).get(from),
    );
  }

  /** `idRanges` with ends of one's own. @param lastFrom end of the range that begins at an id; null or undefined: there is none */
  idRangesBy(lastFrom: (from: bigint) => bigint | null | undefined): AsyncGenerator<IdRange> {
    return walkIds(this.signal, (from) => this.read(() => lastFrom(from)));
  }
}
