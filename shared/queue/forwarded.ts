import type { JobPlace } from "./names.ts";

/** The return value of a job whose work goes on in another host's queue. */
export interface Forwarded {
  forwarded: JobPlace;
}

/** Tells a forwarded job's return value from a result. */
export function isForwarded(value: unknown): value is Forwarded {
  return typeof value === "object" && value !== null && "forwarded" in value;
}
