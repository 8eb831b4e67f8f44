import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { toJobsError } from "../shared/errors.ts";
import { askAgain } from "./ask-again.ts";
import { askHome } from "./ask-home.ts";
import type { JobHost } from "./job-host.ts";
import { addStep } from "./migrate/step-jobs.ts";

/** How often a worker goes over the areas it knows, and over its roots, ms. */
const roundMs = 15_000;
const rootsEveryMs = 10 * 60_000;

/**
 * A worker's rounds over areas: a migration that nobody goes on with is seen by whichever of its hosts is alive, and gets
 * a job `tend` in that host's queue. So nothing depends on a job in Redis.
 */
export class Rounds {
  readonly #host: JobHost;
  readonly #areas = new Set<string>();
  readonly #timer: NodeJS.Timeout;
  readonly #over = new AbortController();
  #rootsAt = Number.NEGATIVE_INFINITY;
  #going: Promise<void> | undefined;

  constructor(host: JobHost, everyMs = roundMs) {
    this.#host = host;
    this.#timer = setInterval(() => this.#start(), everyMs);
    this.#start();
  }

  /** Areas of jobs that this worker met are looked at in each round. */
  note(area: string): void {
    this.#areas.add(area);
  }

  #start(): void {
    this.#going ??= this.#go()
      .catch((error: unknown) => this.#host.log.debug({ err: error }, "a round was not finished"))
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
      name: "round",
      payload: { areas, everywhere },
      jobId: "round",
      settings,
    } as const;
    const { due, known, coordinated, wished } = await threads.run(data, {
      signal: this.#over.signal,
      onLog: (sentence) => log.debug(sentence),
    });
    for (const area of known) this.#areas.add(area);
    for (const area of due) await this.#ask(area);
    await askAgain(this.#host, coordinated);
    await askHome(this.#host, wished, rootsEveryMs);
  }

  /** Most areas never moved, or did so long ago: no thread is started for those. */
  async #withMigrations(): Promise<string[]> {
    const looked = [...this.#areas].map(async (area) => {
      const left = await readdir(join(area, ".mtjobs", "migration")).catch(() => []);
      return left.length === 0 ? [] : [area];
    });
    return (await Promise.all(looked)).flat();
  }

  async #ask(area: string): Promise<void> {
    const { settings, log } = this.#host;
    const id = `tend-${createHash("sha256").update(area).digest("hex").slice(0, 16)}`;
    const place = { host: settings.host, jobId: `${id}-${Date.now().toString(36)}` };
    const payload = { v: 1, area, requestedBy: `worker@${settings.host}`, step: "tend" } as const;
    // One at a time for an area: while it waits or works another one is not added.
    await addStep(this.#host, place, payload, { deduplication: { id } }).catch((error: unknown) =>
      log.debug({ err: toJobsError(error) }, "could not ask for a tend"),
    );
  }

  /** Goes on no further round, and waits for the one under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#over.abort(new Error("the worker leaves"));
    await this.#going;
  }
}
