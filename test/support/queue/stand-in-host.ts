import type { Job } from "bullmq";
import type { Redis } from "ioredis";
import { encodeFailure } from "../../../shared/contract/failure.ts";
import type { MigratePayload } from "../../../shared/contract/migrate-payload.ts";
import type { MigrateCheck, MigrateResult } from "../../../shared/contract/migrate-result.ts";
import type { HostRecord } from "../../../shared/contract/queue-records.ts";
import { JobsError } from "../../../shared/errors.ts";
import { announceHost } from "../../../shared/queue/hosts.ts";
import { queueName } from "../../../shared/queue/names.ts";
import { queueLibraries } from "./redis.ts";

export interface Place {
  redis: Redis;
  prefix: string;
  url: string;
}

/** Announces a host's worker in Redis, as the worker would. */
export async function announce({ redis, prefix }: Place, host: string, more: Partial<HostRecord> = {}) {
  const record = { host, address: null, version: "0.1.0", pid: 1, user: "me", cacheRoot: "/tmp" };
  await announceHost(redis, prefix, {
    ...record,
    areas: ["/"],
    startedAt: new Date().toISOString(),
    ...more,
  });
}

export function migrated(job: Job, more: Partial<MigrateResult> = {}): MigrateResult {
  const { area, to, dryRun } = job.data as MigratePayload;
  return {
    jobId: job.id ?? "",
    job: "migrate",
    kind: "migration",
    area,
    areaId: null,
    from: "10.0.0.1",
    to: "10.0.0.2",
    fromHost: "hosta",
    toHost: to,
    state: "completed",
    dryRun,
    outcome: "migrated",
    token: 12,
    source: "cache",
    bytes: { "cache/megatest.db": 1_200_000 },
    checks: [{ name: "tests", ok: true, detail: "no test is running" }],
    strays: { merged: 0, kept: 0 },
    warnings: [],
    elapsedMs: 3200,
    ...more,
  };
}

/** Fails a job as a refused migration does, with its checks. */
export async function refused(
  job: Job,
  checks: MigrateCheck[],
  details: Record<string, unknown> = {},
): Promise<never> {
  const { UnrecoverableError } = await import("bullmq");
  const reason = checks.map(({ detail }) => detail).join("; ");
  const result = migrated(job, {
    state: "failed",
    outcome: "refused",
    reason,
    checks,
    token: null,
    bytes: {},
  });
  const error = new JobsError("not-quiescent", reason, {
    hint: "wait with --when-quiet",
    details: { ...details, result },
  });
  throw new UnrecoverableError(encodeFailure(error));
}

/** Serves the queue of `host` with `migrate` while `body` runs: a stand-in for a worker and the area's two hosts. */
export async function withStandIn<T>(
  place: Place,
  host: string,
  migrate: (job: Job) => unknown,
  body: () => Promise<T>,
  record: Partial<HostRecord> = {},
): Promise<T> {
  const { Worker } = await import("bullmq");
  const { waitingConnection } = await queueLibraries();
  await announce(place, host, record);
  const worker = new Worker(queueName(host), async (job) => migrate(job), {
    connection: waitingConnection(place.url).connection,
    prefix: place.prefix,
  });
  try {
    return await body();
  } finally {
    await worker.close(true);
  }
}
