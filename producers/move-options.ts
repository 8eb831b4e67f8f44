import { parseDuration } from "../shared/duration.ts";
import type { MoveName } from "../shared/queue/payload.ts";
import type { MoveRequest } from "./move-request.ts";

/** Milliseconds, or a duration as the command takes it: `"30d"`. */
export type Duration = number | string;

interface Durations {
  /** No batch is begun after the job has worked so long. */
  maxTime?: Duration;
  /** The last activity is older than this. */
  age?: Duration;
  /** An unfinished test without activity for longer is dead and no longer holds its run back. */
  deadAfter?: Duration;
}

/** Which runs to move and how; at least one of `target` to `runId` must be given. */
export interface ReduceOptions extends Omit<MoveRequest<"reduce">, "area" | keyof Durations>, Durations {}

/** Which runs to move back and how; at least one of `target` to `runId` must be given. */
export interface RestoreOptions
  extends Omit<MoveRequest<"restore">, "area" | keyof Durations | "grace">,
    Durations {
  /** How long completed-runs.db keeps a run that is back, for those who read it just now; an hour at most. */
  grace?: Duration;
}

const durations = ["age", "deadAfter", "grace", "maxTime"];

/** The request that options of the library make. @throws {JobsError} `usage` for a duration that is none */
export function requestFrom<Name extends MoveName>(area: string, options: object): MoveRequest<Name> {
  const members = Object.entries(options).map(([name, value]: [string, unknown]) => [
    name,
    durations.includes(name) && typeof value === "string" ? parseDuration(value, name) : value,
  ]);
  return { ...Object.fromEntries(members), area } as MoveRequest<Name>;
}
