import type { Area } from "../../shared/area/area.ts";
import { knownKeys } from "../../shared/area-db/requirements.ts";
import type { Connection } from "../../shared/sqlite/connection.ts";
import type { CacheTimes } from "../area-db/cache-mtime.ts";
import { DatabaseSession } from "../area-db/database-session.ts";
import { assertMegatestSchemas, type Files, type Source, sourcesOf } from "../area-db/databases.ts";
import type { JobContext } from "../area-db/job-context.ts";
import { Plans } from "./plans.ts";
import { RecordSession } from "./record-session.ts";

export interface AreaSessionOptions {
  /** All databases attached, completed-runs.db among them. */
  db: Connection;
  context: JobContext;
  area: Area;
  files: Files;
  sources: readonly Source[];
  /** Target keys of the area, in order. */
  keys: readonly string[];
  /** Undefined for a dry run, which commits nothing. */
  times: CacheTimes | undefined;
  token?: number | undefined;
  /** Whether completed-runs.db gets the columns that it lacks; needs the token. */
  widens?: boolean;
}

/** Numbers of versions kept aside in `mtjobs_superseded`. */
export interface Kept {
  conflicts: number;
  /** Versions of rows that were not yet synced. */
  unsynced: number;
}

/** One job's session on all databases of an area and their record tables. */
export class AreaSession extends RecordSession {
  readonly context: JobContext;
  readonly area: Area;
  readonly files: Files;
  /** The sources at hand, in order of removal. */
  readonly sources: readonly Source[];
  readonly keys: readonly string[];

  constructor({ context, area, files, sources, keys, widens = false, ...options }: AreaSessionOptions) {
    const session = { ...options, signal: context.signal };
    const plans = new Plans(
      { db: options.db, sources, keys },
      widens ? new DatabaseSession(session) : undefined,
    );
    super({ ...session, plans });
    this.context = context;
    this.area = area;
    this.files = files;
    this.sources = sources;
    this.keys = keys;
  }

  /** Where the freshest data is: the cache, or megatest.db without one. */
  get fresh(): "cache" | "area" {
    return this.sources.includes("cache") ? "cache" : "area";
  }

  /** Counts versions kept aside, if the job counts them. */
  countKept(_kept: Kept): void {}

  /** The same session under another signal. */
  under(signal: AbortSignal): this {
    const context = { ...this.context, signal };
    return Object.create(this, { signal: { value: signal }, context: { value: context } });
  }
}

/** A session on the rows of a step's area; the connection stays the step's. @throws JobsError `unknown-schema` */
export function areaSession(
  step: Pick<AreaSessionOptions, "db" | "context" | "area" | "files" | "times" | "token">,
): AreaSession {
  const { db, context, times, token } = step;
  return new AreaSession({ ...areaSetup(db, step, context), times, token });
}

/** Options of a session on all databases of an area, with `db` attached to them. @throws JobsError `unknown-schema` */
export function areaSetup(
  db: Connection,
  { area, files }: Pick<AreaSessionOptions, "area" | "files">,
  context: JobContext,
): Omit<AreaSessionOptions, "times"> {
  assertMegatestSchemas(db, files);
  return {
    db,
    context,
    area,
    files,
    sources: sourcesOf(files),
    keys: knownKeys(db, "area", files.area, area),
  };
}
