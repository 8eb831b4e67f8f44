import type Database from "better-sqlite3";
import type { Rule } from "../../shared/area-db/run-sides.ts";
import { JobsError } from "../../shared/errors.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import { isNotUnderstood } from "../../shared/sqlite/site-schema.ts";
import { type Token, tokenize } from "../../shared/sqlite/tokens.ts";
import { hasCompleted, type ReadFiles } from "./locate.ts";
import { type OpenOptions, openReader, type Reader, toReadError } from "./open-reader.ts";
import { bindNamed, nameParameters, type Parameters, type Value } from "./parameters.ts";
import { checkStatement, readOnly } from "./rewrite/check-statement.ts";
import { respell } from "./rewrite/legacy-syntax.ts";
import { makeRewriter, type Rewriter } from "./rewrite/rewrite.ts";
import { withoutOurTables } from "./rewrite/schema-tables.ts";

/** A row by column name; of columns with one name the last. */
export type Row = Record<string, Value>;

/** A prepared query. Throws JobsErrors: `bad-query` for errors in the query, `busy`, `io`. */
export interface Query {
  /** Those of the last execution: a new column joins a `*`. */
  readonly columns: readonly string[];
  all(...parameters: Parameters): Row[];
  get(...parameters: Parameters): Row | undefined;
  /** Reads row by row; until it ends or is left, read locks block writers. */
  iterate(...parameters: Parameters): IterableIterator<Row>;
  /** Columns with one name stay distinct. */
  iterateRaw(...parameters: Parameters): IterableIterator<Value[]>;
}

export interface FullDbOptions extends OpenOptions {
  /** False: every query reads the views, as with `attach-sql`; default true. */
  rewrite?: boolean;
  /** True: return integers as bigint. */
  bigints?: boolean;
}

/**
 * A read-only connection on which any Megatest query reads megatest.db (or the cache) and completed-runs.db as one.
 * Synchronous, without a time limit. The next query detects a new completed-runs.db and new columns.
 */
export class FullDb {
  readonly files: ReadFiles;
  readonly #options: FullDbOptions;
  #reader: Reader;
  /** A query may still be using them. */
  readonly #replaced: Reader[] = [];
  #rewriter: Rewriter | undefined;
  #attached = false;

  /** @throws {JobsError} as `openReader` */
  constructor(files: ReadFiles, options: FullDbOptions = {}) {
    this.files = files;
    this.#options = options;
    this.#reader = this.#open();
  }

  /** Its `prepare` reads the views without rewriting, and SQLite's lists of tables include those of mtjobs. */
  get connection(): Connection {
    return this.#current(true).db;
  }

  /** For SQL of `connection`: which runs count in completed-runs.db; undefined if there is none. */
  get rule(): Rule | undefined {
    return this.#current(true).union?.rule;
  }

  /** @throws {JobsError} `read-only` for a statement that writes, `bad-query` */
  prepare(query: string): Query {
    // SQLite would ignore the rest.
    if (query.includes("\0"))
      throw new JobsError("bad-query", "the query contains a NUL character", { hint: "remove it" });
    const given = tokenize(query);
    checkStatement(given, this.#fullDb);
    const sql = this.#fullDb ? withoutOurTables(query, given) : query;
    const tokens = sql === query ? given : tokenize(sql);
    let reader = this.#current(true);
    let statement = this.#prepare(sql, tokens);
    const isStale = (atOnce?: boolean) => this.#current(atOnce) !== reader;
    const run = <T extends object>(
      work: (prepared: Prepared) => T,
      discard: (result: T) => void = () => undefined,
    ): T => {
      try {
        for (;;) {
          const result = attempt(() => work(statement), isStale, discard);
          if (result !== undefined) return result;
          reader = this.#reader;
          statement = this.#prepare(sql, tokens);
        }
      } catch (error) {
        throw this.#toQueryError(error);
      }
    };
    const rows = <T>(raw: boolean, parameters: Parameters) =>
      guardIterator(
        () =>
          run(
            ({ statement: prepared, bind }) => {
              const iterator = prepared.raw(raw).iterate(...bind(parameters)) as IterableIterator<T>;
              return { iterator, first: iterator.next() };
            },
            ({ iterator }) => iterator.return?.(),
          ),
        (error) => this.#toQueryError(error),
      );
    return {
      get columns() {
        return statement.columns;
      },
      all: (...parameters) =>
        run(({ statement: prepared, bind }) => prepared.raw(false).all(...bind(parameters)) as Row[]),
      get: (...parameters) =>
        run(({ statement: prepared, bind }) => ({
          row: prepared.raw(false).get(...bind(parameters)) as Row | undefined,
        })).row,
      iterate: (...parameters) => rows<Row>(false, parameters),
      iterateRaw: (...parameters) => rows<Value[]>(true, parameters),
    };
  }

  /** May be called twice. */
  close(): void {
    for (const reader of [this.#reader, ...this.#replaced]) reader.close();
  }

  get #fullDb(): boolean {
    return this.#options.fullDb !== false;
  }

  #open(): Reader {
    const reader = openReader(this.files, this.#options);
    const { union, db } = reader;
    this.#attached = union === undefined || union.rule !== undefined;
    const rewrites = union?.rule !== undefined && this.#options.rewrite !== false;
    this.#rewriter = rewrites ? makeRewriter(db, union) : undefined;
    return reader;
  }

  /** Respells the query only if SQLite rejects it. */
  #spelled(sql: string, tokens: readonly Token[]): Spelled {
    const { db } = this.#reader;
    try {
      return { sql, tokens, plain: db.prepare(sql) };
    } catch (error) {
      const respelled = respell(db, sql, tokens);
      try {
        return { sql: respelled, tokens: tokenize(respelled), plain: db.prepare(respelled) };
      } catch {
        throw error; // the error of the query as written
      }
    }
  }

  /** Opens the files again if the views no longer fit them: the first reduce, or a new column. */
  #current(atOnce?: boolean): Reader {
    const appeared = !this.#attached && hasCompleted(this.files);
    if (appeared || this.#reader.isOutdated(atOnce)) {
      const reader = this.#open();
      this.#replaced.push(this.#reader);
      this.#reader = reader;
    }
    return this.#reader;
  }

  #prepare(query: string, asWritten: readonly Token[]): Prepared {
    const { db } = this.#reader;
    try {
      const { sql, tokens, plain } = this.#spelled(query, asWritten);
      if (!plain.readonly) throw readOnly("a statement that writes", this.#fullDb);
      if (!plain.reader) throw new JobsError("bad-query", "the statement returns no rows");
      const named = nameParameters(tokens);
      const rewritten = this.#rewriter?.rewrite(sql, named);
      const better = rewritten === undefined ? undefined : prepareAlike(db, rewritten, plain);
      const statement = better ?? plain;
      if (this.#options.bigints === true) statement.safeIntegers(true);
      return {
        columns: columnNames(statement),
        statement,
        bind: better === undefined ? (given) => [...given] : (given) => bindNamed(tokens, given),
      };
    } catch (error) {
      throw this.#toQueryError(error);
    }
  }

  #toQueryError(error: unknown): JobsError {
    if (error instanceof JobsError) return error;
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
    const misused = error instanceof RangeError || error instanceof TypeError;
    if (misused || /^SQLITE_(ERROR|RANGE|MISMATCH|TOOBIG|AUTH|CONSTRAINT)/.test(code)) {
      return new JobsError("bad-query", error instanceof Error ? error.message : String(error), {
        cause: error,
      });
    }
    if (code === "SQLITE_READONLY") return readOnly("a statement that writes", this.#fullDb);
    return toReadError(error, this.files);
  }
}

interface Spelled {
  sql: string;
  tokens: readonly Token[];
  plain: Database.Statement<unknown[], unknown>;
}

interface Started<T> {
  iterator: IterableIterator<T>;
  first: IteratorResult<T, unknown>;
}

interface Prepared {
  columns: readonly string[];
  statement: Database.Statement<unknown[], unknown>;
  bind(given: Parameters): unknown[];
}

/** Returns undefined if SQLite rejects it or its column names differ. */
function prepareAlike(
  db: Connection,
  sql: string,
  plain: Database.Statement<unknown[], unknown>,
): Database.Statement<unknown[], unknown> | undefined {
  let rewritten: Database.Statement<unknown[], unknown>;
  try {
    rewritten = db.prepare<unknown[], unknown>(sql);
  } catch {
    return undefined; // a name is valid only in its original place
  }
  const names = (statement: typeof plain) => JSON.stringify(columnNames(statement));
  return names(rewritten) === names(plain) ? rewritten : undefined;
}

function columnNames(statement: Database.Statement<unknown[], unknown>): string[] {
  return statement.columns().map(({ name }) => name);
}

/**
 * Returns undefined if the result is stale. Tests for that afterwards: a change while the query waited for a lock is
 * not missed.
 */
function attempt<T>(
  work: () => T,
  isStale: (atOnce?: boolean) => boolean,
  discard: (result: T) => void,
): T | undefined {
  let result: T;
  try {
    result = work();
  } catch (error) {
    // A view may name a column that was dropped.
    if (isNotUnderstood(error) && isStale(true)) return undefined;
    throw error;
  }
  let stale = true;
  try {
    stale = isStale();
  } finally {
    if (stale) discard(result);
  }
  return stale ? undefined : result;
}

function* guardIterator<T>(
  start: () => Started<T>,
  toQueryError: (error: unknown) => JobsError,
): IterableIterator<T> {
  // Keeps no row: it may be large.
  let { iterator, first: next } = start();
  try {
    while (next.done !== true) {
      yield next.value;
      try {
        next = iterator.next();
      } catch (error) {
        throw toQueryError(error);
      }
    }
  } finally {
    iterator.return?.();
  }
}
