import { defined } from "./defined.ts";
import { catalogue, type ErrorCode } from "./error-codes.ts";
import type { ErrorDocument } from "./error-document.ts";

export interface ErrorOptions {
  /** One sentence on what to do. */
  hint?: string | undefined;
  /** Facts for programs; plain JSON. */
  details?: Record<string, unknown> | undefined;
  cause?: unknown;
}

export class JobsError extends Error {
  override readonly name = "JobsError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  get exitCode(): number {
    return catalogue[this.code].exit;
  }

  /** Returns true if the same job may succeed later with the same input: by its code, or if it says `temporary`. */
  get retriable(): boolean {
    return catalogue[this.code].retry || this.details?.temporary === true;
  }

  toDocument(): ErrorDocument {
    const { code, message, hint, details } = this;
    return defined({ code, message, hint, details });
  }

  static fromDocument(document: ErrorDocument): JobsError {
    const { code, message, ...rest } = document;
    return new JobsError(code in catalogue ? code : "internal", message, rest);
  }
}

/** Returns the `code` of an error (`ENOENT`); "" for other values. */
export function systemCode(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** What to do about a database that another program has put in the place of one in use. */
export const replacedHint =
  "nothing was changed since; put the earlier file back, or find out who replaced it, then run the job again";

export function toJobsError(error: unknown): JobsError {
  if (error instanceof JobsError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = systemCode(error);
  if (isBindingFault(error, code)) {
    return new JobsError("bad-installation", `SQLite's native library does not load: ${firstLine(message)}`, {
      cause: error,
      hint: "install mtjobs again on this host, which needs glibc 2.34 or later, or musl; no area is at fault",
    });
  }
  if (code.startsWith("SQLITE_BUSY") || code.startsWith("SQLITE_LOCKED")) {
    return new JobsError("busy", `database is busy: ${message}`, {
      cause: error,
      hint: "wait for the process that holds the database, or end it, then try again; queued jobs are retried automatically",
    });
  }
  if (code === "SQLITE_READONLY_ROLLBACK" || code === "SQLITE_READONLY_RECOVERY") {
    return new JobsError("busy", `a writer is active, or died and left a journal: ${message}`, {
      cause: error,
      hint: "a read-only connection cannot roll it back; any Megatest client or any job on the area does",
    });
  }
  if (code === "SQLITE_READONLY_DBMOVED") {
    return new JobsError("io", "a database was replaced or removed while it was in use", {
      cause: error,
      hint: replacedHint,
    });
  }
  if (code === "SQLITE_FULL" || code === "ENOSPC" || code === "EDQUOT") {
    return new JobsError("disk-full", `no space left: ${message}`, {
      cause: error,
      hint: "free space on the file system, then run the job again; it continues where it stopped",
    });
  }
  if (code === "SQLITE_CONSTRAINT_TRIGGER") {
    return new JobsError("unknown-schema", `a trigger of the database rejected a change: ${message}`, {
      cause: error,
      hint: "find the trigger that raises this and drop it; the change was rolled back, and the next job continues from there",
    });
  }
  const match = /- (.*) cannot reference objects in database (.*)$/.exec(message);
  if (match !== null) {
    // SQLite reports it as corrupt, but only when the file is attached.
    return new JobsError("unknown-schema", `${match[1]} names the database ${match[2]} before a table`, {
      cause: error,
      hint: `no file is damaged; create it again without "${match[2]}.", since jobs attach the file under another name`,
    });
  }
  if (code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB") {
    return new JobsError("corrupt", `damaged database: ${message}`, {
      cause: error,
      hint: "restore the file from a backup or with sqlite3's .recover; nothing was removed from it",
    });
  }
  if (/^SQLITE_(IOERR|CANTOPEN|READONLY|PERM|AUTH|NOLFS|PROTOCOL)/.test(code) || /^E[A-Z]+$/.test(code)) {
    return new JobsError("io", message, { cause: error, hint: "check the file system and its permissions" });
  }
  return new JobsError("internal", message, { cause: error });
}

/** Returns true if better-sqlite3 is missing, or found no binary for this platform, or one that does not load. */
function isBindingFault(error: unknown, code: string): boolean {
  return (
    code === "ERR_DLOPEN_FAILED" ||
    (code === "MODULE_NOT_FOUND" && error instanceof Error && /better[-_]sqlite3/.test(error.message))
  );
}

const firstLine = (text: string) => text.split("\n", 1)[0] ?? "";
