import { DelayedError, type Job } from "bullmq";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import type { MigrateResult } from "../../../shared/contract/migrate-result.ts";
import { JobsError, toJobsError } from "../../../shared/errors.ts";
import { aliveHostsText, hostNamed, listHosts } from "../../../shared/queue/hosts.ts";
import type { Forwarded } from "../../../shared/queue/names.ts";
import { forwardJob } from "../forward-job.ts";
import { runPass } from "./coordinator.ts";
import { CoordinatorIO, RetryLater } from "./coordinator-io.ts";
import { progressOf } from "./coordinator-state.ts";
import type { MigrationJobContext } from "./step-job.ts";

/**
 * Runs one pass of the job `migrate`: proceeds until it must wait for another host, then delays itself.
 *
 * @returns the result, or where the job was forwarded
 * @throws `DelayedError` while waiting; JobsError if the migration failed
 */
export async function coordinate(
  job: Job,
  payload: MigratePayload,
  context: MigrationJobContext,
): Promise<MigrateResult | Forwarded> {
  const { host, token, reporter } = context;
  const elsewhere = await targetElsewhere(payload, context);
  if (elsewhere !== undefined) {
    const { forwarded } = await forwardJob(job, payload, elsewhere, host);
    reporter.log(`The area moves to ${forwarded.host}; the job continues in that host's queue.`);
    return { forwarded };
  }
  const io = new CoordinatorIO(job, payload, context);
  try {
    return await runPass(io);
  } catch (thrown) {
    await reporter.flush();
    await job.updateProgress(progressOf(io.phase, io.at));
    if (!(thrown instanceof RetryLater)) throw toJobsError(thrown);
    await job.moveToDelayed(Date.now() + thrown.ms, token);
    throw new DelayedError();
  }
}

/** Returns the target host; undefined if it is this one. */
async function targetElsewhere(
  payload: MigratePayload,
  { host }: MigrationJobContext,
): Promise<string | undefined> {
  const { settings, redis } = host;
  if (payload.to === settings.host) return undefined;
  const hosts = await listHosts(redis, settings.prefix);
  const target = hostNamed(hosts, payload.to);
  if (target?.host === settings.host) return undefined;
  if (target?.alive === true) return target.host;
  const what =
    target === undefined ? "no worker has registered under that name" : "its worker is not running";
  throw new JobsError("unfit-host", `the area cannot move to ${payload.to}: ${what}`, {
    hint: `start mtjobs worker there, or name another host with --to: ${aliveHostsText(hosts)}`,
  });
}
