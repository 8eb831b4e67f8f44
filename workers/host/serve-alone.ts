import type { Redis } from "ioredis";
import type { HostRecord } from "../../shared/contract/queue-records.ts";
import { JobsError } from "../../shared/errors.ts";
import { isAlive } from "../../shared/lease/holder.ts";
import { processSpace } from "../../shared/process.ts";
import { type Announcement, claimHost, type OtherWorker, withdrawDead } from "../../shared/queue/hosts.ts";
import type { Logger } from "../../shared/settings/log.ts";
import { rest } from "../area-db/transaction.ts";

/** What a worker does if another one serves its host: end, or wait until that one is gone. */
export type Alone = "refuse" | "standby";

/** Ms between two checks of the other worker. */
const pause = 500;

/**
 * Announces this worker as the only one of its host. One that was killed is not in the way: on this machine its process
 * is gone, on another its announcement is not renewed, which takes some seconds to see.
 *
 * @throws JobsError `conflict` if another worker is alive and `alone` is `refuse`; the signal's reason
 */
export async function serveAlone(
  alone: Alone,
  { redis, prefix, record, log }: { redis: Redis; prefix: string; record: HostRecord; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  let [isLogged, leftMs] = [false, Number.POSITIVE_INFINITY];
  for (;;) {
    const other = await claimHost(redis, prefix, record);
    if (other === undefined) return;
    const dead = deadHere(other);
    if (dead !== undefined) {
      await withdrawDead(redis, prefix, record.host, dead);
      continue;
    }
    // Renewed since the last check.
    const isRenewed = other.leftMs > leftMs;
    if (alone === "refuse" && (isRenewed || isHere(other)))
      throw servedByOther(record.host, other.announcement);
    leftMs = other.leftMs;
    if (!isLogged) log.info(`waiting: ${servedText(record.host, other.announcement)}`);
    isLogged = true;
    await rest(pause, signal);
  }
}

const isHere = ({ announcement }: OtherWorker) => announcement?.space === processSpace();

/**
 * Returns the announcement if its process ran on this machine and is gone. One with this process's number is: numbers
 * are used again, and in a container that is started again at once, with those of namespaces.
 */
function deadHere(other: OtherWorker): Announcement | undefined {
  const { pid = 0, start = 0 } = other.announcement ?? {};
  return isHere(other) && (pid === process.pid || !isAlive(pid, start)) ? other.announcement : undefined;
}

export function servedByOther(host: string, announcement: Announcement | undefined): JobsError {
  return new JobsError("conflict", servedText(host, announcement), {
    hint: "stop that one, or give this one its own MTJOBS_HOST; --standby waits until the other is gone, then takes over",
    details: { host, pid: announcement?.pid ?? null, machine: announcement?.machine ?? null },
  });
}

function servedText(host: string, announcement: Announcement | undefined): string {
  const which =
    announcement === undefined
      ? "another process"
      : `process ${announcement.pid} on ${announcement.machine}, since ${announcement.startedAt}`;
  return `${host} is served by another worker: ${which}`;
}
