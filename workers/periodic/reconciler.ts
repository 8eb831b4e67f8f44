import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { wantsArea } from "../../shared/area/config/home-policy.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import { toJobsError } from "../../shared/errors.ts";
import { openQueue } from "../../shared/queue/connections.ts";
import { enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { findHost, listDrained } from "../../shared/queue/hosts.ts";
import { newJobId } from "../../shared/queue/names.ts";
import { addStep } from "../jobs/migration/step-queue.ts";
import type { WorkerContext } from "../jobs/worker-context.ts";
import type { PreferredArea } from "../migrate/steps/preferred-areas.ts";
import type { Coordinated } from "../migrate/steps/reconcile-areas.ts";

/** Interval between reconcile rounds over the known areas, and over the roots, ms. */
const roundMs = 15_000;
const rootsEveryMs = 10 * 60_000;

/**
 * Reconciles areas: any live host of a migration without a job finds it and enqueues a `tend` step for itself. So
 * nothing depends on a job in Redis.
 */
export class Reconciler {
  readonly #host: WorkerContext;
  readonly #areas = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #over = new AbortController();
  #rootsAt = Number.NEGATIVE_INFINITY;
  #going: Promise<void> | undefined;

  constructor(host: WorkerContext, everyMs = roundMs) {
    this.#host = host;
    this.#timer = setInterval(() => this.#start(), everyMs);
    this.#start();
  }

  /** Adds an area to each round. */
  note(area: string): void {
    this.#areas.add(area);
  }

  #start(): void {
    this.#going ??= this.#go()
      .catch((error: unknown) => this.#host.log.debug({ err: error }, "a reconcile round failed"))
      .finally(() => {
        this.#going = undefined;
      });
  }

  async #go(): Promise<void> {
    const { settings, log, threads } = this.#host;
    const everywhere = performance.now() - this.#rootsAt >= rootsEveryMs;
    if (!everywhere && this.#areas.size === 0) return;
    if (everywhere) this.#rootsAt = performance.now();
    const areas = await this.#withMigrations();
    if (!everywhere && areas.length === 0) return;
    const data = {
      name: "reconcile-areas",
      payload: { areas, everywhere },
      jobId: "reconcile-areas",
      settings,
    } as const;
    const { due, known, coordinated, preferredAreas } = await threads.run(data, {
      signal: this.#over.signal,
      onLog: (sentence) => log.debug(sentence),
    });
    for (const area of known) this.#areas.add(area);
    for (const area of due) await this.#enqueueReconcile(area);
    await requeueLost(this.#host, coordinated);
    await enqueuePreferred(this.#host, preferredAreas, rootsEveryMs);
  }

  /** Returns the areas with migration files. Most have none, and need no thread. */
  async #withMigrations(): Promise<string[]> {
    const found = [...this.#areas].map(async (area) => {
      const left = await readdir(join(area, ".mtjobs", "migration")).catch(() => []);
      return left.length === 0 ? [] : [area];
    });
    return (await Promise.all(found)).flat();
  }

  async #enqueueReconcile(area: string): Promise<void> {
    const { settings, log } = this.#host;
    const id = `tend-${createHash("sha256").update(area).digest("hex").slice(0, 16)}`;
    const place = { host: settings.host, jobId: `${id}-${Date.now().toString(36)}` };
    const payload = { v: 1, area, requestedBy: `worker@${settings.host}`, step: "tend" } as const;
    // At most one for an area: none is added while it waits or runs.
    await addStep(this.#host, place, payload, { deduplication: { id } }).catch((error: unknown) =>
      log.debug({ err: toJobsError(error) }, "could not enqueue a reconcile step"),
    );
  }

  /** Stops the rounds, and waits for the one under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#over.abort(new Error("the worker is stopping"));
    await this.#going;
  }
}

/**
 * Enqueues a migration's job that Redis has lost, under its old id, so that it continues from its row in megatest.db.
 * Otherwise the migration would wait until the lease expires, and then only be undone.
 */
async function requeueLost(host: WorkerContext, migrations: readonly Coordinated[]): Promise<void> {
  const { redis, settings, log } = host;
  if (migrations.length === 0) return;
  const queue = openQueue(redis, settings, settings.host);
  try {
    for (const { area, jobId, requestedBy } of migrations) {
      if ((await queue.getJobState(jobId)) !== "unknown") continue;
      const payload = parsePayload("migrate", { v: 1, area, to: settings.host, requestedBy });
      await queue.add("migrate", payload, enqueueOptions("migrate", payload, jobId));
      log.info({ area, jobId }, "enqueued a migration again that was missing from the queue");
    }
  } finally {
    await queue.close();
  }
}

/**
 * Enqueues a migration for each area whose policy prefers this host. It waits for a quiet area for `forMs` at most;
 * then the next scan asks again. Skips areas whose homehost has no live worker; a drained host enqueues none.
 */
export async function enqueuePreferred(
  host: WorkerContext,
  preferred: readonly PreferredArea[],
  forMs: number,
): Promise<void> {
  const { redis, settings, log } = host;
  if (preferred.length === 0 || (await listDrained(redis, settings.prefix)).has(settings.host)) return;
  const queue = openQueue(redis, settings, settings.host);
  try {
    for (const { area, home, self, policy, sinceLastMs } of preferred) {
      const old = await findHost(redis, settings.prefix, home);
      const names = [home, old?.host, old?.address].filter((name) => typeof name === "string");
      if (old?.alive !== true || !wantsArea(policy, names, self, sinceLastMs)) continue;
      const payload = parsePayload("migrate", {
        ...{ v: 1, area, to: settings.host, from: home, requestedBy: `policy@${settings.host}` },
        ...{ quietFor: policy.quietForMs, whenQuiet: true, deadline: forMs },
      });
      const wanted = newJobId("migrate");
      const { id } = await queue.add("migrate", payload, enqueueOptions("migrate", payload, wanted));
      if (id === wanted)
        log.info({ area, home, jobId: id }, "enqueued a migration of an area that prefers this host");
    }
  } finally {
    await queue.close();
  }
}
