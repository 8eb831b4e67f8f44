import type { MoveName } from "../../shared/contract/payload.ts";
import type { Enqueued } from "../contract/job.ts";
import { checkMigrate, enqueueMigrate } from "./check-migrate.ts";
import { checkRequest, type RequestPlace } from "./check-move.ts";
import { enqueueJob } from "./enqueue.ts";
import { requestFrom } from "./options.ts";
import type { LastingSession } from "./session.ts";

/** Jobs that may be requested; other jobs in the queue are internal to the workers. */
export type RequestName = MoveName | "migrate";
export const requestNames: readonly RequestName[] = ["reduce", "restore", "purge", "import", "migrate"];

/** A job requested on behalf of another user. */
export interface JobRequest {
  name: RequestName;
  area: string;
  /** Members of the job's data; millisecond values may be durations. */
  options: object;
  /** The job's id; not added again while any queue has it. */
  jobId?: string | undefined;
}

/**
 * Checks a job of any kind and enqueues it.
 * @throws {JobsError} as the library's method of the job's name
 */
export async function requestJob(
  session: LastingSession,
  { name, area, options, jobId }: JobRequest,
  place: RequestPlace,
): Promise<Enqueued> {
  if (name === "migrate") {
    const { confirmed, ...rest } = options as { confirmed?: boolean };
    const checked = await checkMigrate(area, { ...rest, yes: confirmed }, place);
    return await session.ask((open) => enqueueMigrate(open, checked, jobId));
  }
  const checked = await checkRequest(name, requestFrom(area, options), place);
  return await session.ask((open) => enqueueJob(open, checked, jobId));
}
