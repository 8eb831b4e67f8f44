import type Database from "better-sqlite3";
import { JobsError } from "../errors.ts";
import type { Connection } from "../sqlite/connection.ts";
import { hasCompleted, type ReadFiles } from "./locate.ts";
import { type OpenOptions, openReader, type Reader, toReadError } from "./open.ts";
import { bindNamed, nameParameters, type Parameters, type Value } from "./parameters.ts";
import { checkStatement, readOnly } from "./sql/check-statement.ts";
import { respell } from "./sql/old-spelling.ts";
import { makeRewriter, type Rewriter } from "./sql/rewrite.ts";
import { withoutOurTables } from "./sql/schema-tables.ts";
import { type Token, tokenize } from "./sql/tokens.ts";

/** A row by column name; of columns of one name the last. */
export type Row = Record<string, Value>;

/** A query that is ready to run. Errors are JobsErrors: `bad-query` for what SQLite does not like, `busy`, `io`. */
export interface Query {
  /** Names of the result's columns, in order. */
  readonly columns: readonly string[];
  /** All rows. */
  all(...parameters: Parameters): Row[];
  /** The first row; undefined where there is none. */
  get(...parameters: Parameters): Row | undefined;
  /** Row by row. Until it is read to its end or left, the databases are locked for reading and nobody can write. */
  iterate(...parameters: Parameters): IterableIterator<Row>;
  /** The same as arrays, in which columns of one name do not hide each other. */
  iterateRaw(...parameters: Parameters): IterableIterator<Value[]>;
}

export interface FullDbOptions extends OpenOptions {
  /** False: every query reads the views, as from `attach-sql`; default true. */
  rewrite?: boolean;
  /** True: integers come as bigint. */
  bigints?: boolean;
}

/**
 * A read-only connection on which any query written for Megatest answers over megatest.db (or the cache) and
 * completed-runs.db together. It is synchronous, as better-sqlite3 is, and a query has no time limit. Columns are those
 * of when it was opened; a completed-runs.db that comes later is noticed by the next query.
 */
export class FullDb {
  readonly files: ReadFiles;
  readonly #options: FullDbOptions;
  #reader: Reader;
  /** Those that a newer one took the place of; a query may still be reading from them. */
  readonly #replaced: Reader[] = [];
  #rewriter: Rewriter | undefined;
  /** False as long as there was no completed-runs.db to attach. */
  #attached = false;

  /** @throws {JobsError} as `openReader` */
  constructor(files: ReadFiles, options: FullDbOptions = {}) {
    this.files = files;
    this.#options = options;
    this.#reader = this.#open();
  }

  /**
   * The connection itself, read-only. Its `prepare` reads the views and is never rewritten, and SQLite's lists of tables
   * have ours in them.
   */
  get connection(): Connection {
    return this.#current().db;
  }

  /** @throws {JobsError} `read-only` for what is no query, `bad-query` for what SQLite does not understand */
  prepare(asked: string): Query {
    const given = tokenize(asked);
    checkStatement(given, this.#fullDb);
    const sql = this.#fullDb ? withoutOurTables(asked, given) : asked;
    const tokens = sql === asked ? given : tokenize(sql);
    let reader = this.#current();
    let statement = this.#prepare(sql, tokens);
    // The first reduce of an area makes completed-runs.db, and a query prepared before would miss what it moves.
    const fresh = () => {
      if (this.#current() !== reader) {
        reader = this.#reader;
        statement = this.#prepare(sql, tokens);
      }
      return statement;
    };
    const guarded = <T>(work: () => T): T => {
      try {
        return work();
      } catch (error) {
        throw this.#toQueryError(error);
      }
    };
    const rows = <T>(raw: boolean, parameters: Parameters) => {
      const { statement: prepared, bind } = fresh();
      return guardIterator(
        guarded(() => prepared.raw(raw).iterate(...bind(parameters)) as IterableIterator<T>),
        guarded,
      );
    };
    return {
      columns: statement.statement.columns().map(({ name }) => name),
      all: (...parameters) =>
        guarded(() => {
          const { statement: prepared, bind } = fresh();
          return prepared.raw(false).all(...bind(parameters)) as Row[];
        }),
      get: (...parameters) =>
        guarded(() => {
          const { statement: prepared, bind } = fresh();
          return prepared.raw(false).get(...bind(parameters)) as Row | undefined;
        }),
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

  /** The query as it is written, or respelled where SQLite takes it only so. */
  #spelled(sql: string, tokens: readonly Token[]): Spelled {
    const { db } = this.#reader;
    try {
      return { sql, tokens, plain: db.prepare(sql) };
    } catch (error) {
      const respelled = respell(db, sql, tokens);
      try {
        return { sql: respelled, tokens: tokenize(respelled), plain: db.prepare(respelled) };
      } catch {
        throw error; // what is wrong with the query as it was asked
      }
    }
  }

  #current(): Reader {
    if (!this.#attached && hasCompleted(this.files)) {
      this.#replaced.push(this.#reader);
      this.#reader = this.#open();
    }
    return this.#reader;
  }

  #prepare(asked: string, asWritten: readonly Token[]): Prepared {
    const { db } = this.#reader;
    try {
      const { sql, tokens, plain } = this.#spelled(asked, asWritten);
      if (!plain.readonly) throw readOnly("a statement that writes", this.#fullDb);
      if (!plain.reader) throw new JobsError("bad-query", "the statement returns no rows");
      const named = nameParameters(tokens);
      const rewritten = this.#rewriter?.rewrite(sql, named);
      const better = rewritten === undefined ? undefined : prepareAlike(db, rewritten, plain);
      const statement = better ?? plain;
      if (this.#options.bigints === true) statement.safeIntegers(true);
      return {
        statement,
        bind: better === undefined ? (given) => [...given] : (given) => bindNamed(tokens, given),
      };
    } catch (error) {
      throw this.#toQueryError(error);
    }
  }

  /** What SQLite or better-sqlite3 says against a query is the asker's to mend; the rest is as for any reading. */
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

interface Prepared {
  statement: Database.Statement<unknown[], unknown>;
  bind(given: Parameters): unknown[];
}

/** The rewritten statement, where SQLite takes it and names its columns as those of the one it stands for. */
function prepareAlike(
  db: Connection,
  sql: string,
  plain: Database.Statement<unknown[], unknown>,
): Database.Statement<unknown[], unknown> | undefined {
  let rewritten: Database.Statement<unknown[], unknown>;
  try {
    rewritten = db.prepare<unknown[], unknown>(sql);
  } catch {
    return undefined; // a name that means something only where it stood
  }
  const names = (statement: typeof plain) => JSON.stringify(statement.columns().map(({ name }) => name));
  return names(rewritten) === names(plain) ? rewritten : undefined;
}

function* guardIterator<T>(rows: IterableIterator<T>, guarded: <R>(work: () => R) => R): IterableIterator<T> {
  try {
    for (;;) {
      const next = guarded(() => rows.next());
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    rows.return?.();
  }
}
