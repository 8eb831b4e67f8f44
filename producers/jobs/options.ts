import type { MoveName } from "../../shared/contract/payload.ts";
import { parseDuration } from "../../shared/time/duration.ts";
import type { MoveRequest } from "./check-move.ts";

/** Milliseconds, or a duration as on the command line: `"30d"`. */
export type Duration = number | string;

interface Durations {
  /** No new batch starts after this time. */
  maxTime?: Duration;
  /** Minimum age of the last activity. */
  age?: Duration;
  /** An unfinished test without activity for longer counts as dead and does not keep its run in place. */
  deadAfter?: Duration;
}

/** Which runs to move and how; at least one of `target` to `runId` is required. */
export interface ReduceOptions extends Omit<MoveRequest<"reduce">, "area" | keyof Durations>, Durations {}

/** Which runs to restore and how; at least one of `target` to `runId` is required. */
export interface RestoreOptions
  extends Omit<MoveRequest<"restore">, "area" | keyof Durations | "grace">,
    Durations {
  /** How long to keep a restored run in completed-runs.db for readers already using it; at most an hour. */
  grace?: Duration;
}

/** Which moved runs to purge; one of `target` to `runId` is required, and `export` or its absence confirmed. */
export interface PurgeOptions extends Omit<MoveRequest<"purge">, "area" | keyof Durations>, Durations {}

export interface ImportOptions
  extends Omit<MoveRequest<"import">, "area" | "file" | keyof Durations>,
    Omit<Durations, "age"> {}

const durations = ["age", "deadAfter", "grace", "maxTime"];

/** Converts the library's options to a request. @throws {JobsError} `usage` for an invalid duration */
export function requestFrom<Name extends MoveName>(area: string, options: object): MoveRequest<Name> {
  const members = Object.entries(options).map(([name, value]: [string, unknown]) => [
    name,
    durations.includes(name) && typeof value === "string" ? parseDuration(value, name) : value,
  ]);
  return { ...Object.fromEntries(members), area } as MoveRequest<Name>;
}
