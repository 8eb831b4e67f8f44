import type { JobPlace } from "./names.ts";

/** The return value of a job that continues in another host's queue. */
export interface Forwarded {
  forwarded: JobPlace;
}

export function isForwarded(value: unknown): value is Forwarded {
  return typeof value === "object" && value !== null && "forwarded" in value;
}
