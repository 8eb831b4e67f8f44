import type { Queue } from "bullmq";
import type { Policy } from "../../shared/area/config/policies.ts";
import { policyName, policySections } from "../../shared/area/config/policy-name.ts";
import { parsePayload } from "../../shared/contract/payload.ts";
import type { Outcome } from "../../shared/contract/queue-records.ts";
import { toJobsError } from "../../shared/errors.ts";
import { builtFile } from "../../shared/process.ts";
import { deduplicationId, enqueueOptions } from "../../shared/queue/enqueue-options.ts";
import { newJobId } from "../../shared/queue/names.ts";
import { readOutcome } from "../../shared/queue/outcomes.ts";
import type { Settings } from "../../shared/settings/settings.ts";
import { isWithin, ownZone, parseWindow } from "../../shared/time/time-window.ts";
import { policyPayload } from "../jobs/policy-payload.ts";
import type { WorkerContext } from "../jobs/worker-context.ts";
import { ThreadPool } from "../threads/thread-pool.ts";
import type { RpcThread } from "../threads/thread-rpc.ts";
import type { PolicyScan } from "./policy-scan.ts";

export interface PolicyScanCalls {
  scan(settings: Settings): PolicyScan;
}

const scanThreads = new ThreadPool<PolicyScanCalls>(
  builtFile("workers/periodic/policy-scan-thread.js"),
  "policy scan",
  0,
);

/** Interval between policy scans, ms; the first one runs soon after the start. */
const scanEveryMs = 5 * 60_000;
const firstScanMs = 10_000;
/** A failed job is enqueued again after this time unless its line asks for it sooner, ms. */
const afterFailureMs = 3_600_000;

/** Returns whether a policy's next job is due, given how the last one ended. */
export function isDue(
  { request, everyMs }: Pick<Policy, "request" | "everyMs">,
  last: Pick<Outcome, "startedAt" | "failures" | "timeUp"> | undefined,
  now: number,
): boolean {
  const { between, tz = ownZone() } = request;
  // Not before its window opens: the line may change until then.
  if (between !== undefined && !isWithin(parseWindow(between), now, tz)) return false;
  if (last === undefined || last.timeUp === "between") return true;
  const pause = last.failures > 0 ? Math.min(everyMs, afterFailureMs) : everyMs;
  return now - Date.parse(last.startedAt) >= pause;
}

/**
 * Enqueues the jobs that `[reduce-records]` and `[purge-records]` ask for, for the areas at home on this host. All state is in Redis:
 * if it is emptied, a reduce comes early.
 */
export class PolicyScheduler {
  readonly #host: Pick<WorkerContext, "settings" | "log" | "redis">;
  readonly #queue: Queue;
  readonly #everyMs: number;
  readonly #warned = new Set<string>();
  #timer: NodeJS.Timeout;
  #thread: RpcThread<PolicyScanCalls> | undefined;
  #over = false;

  constructor(
    host: Pick<WorkerContext, "settings" | "log" | "redis">,
    queue: Queue,
    everyMs: number | undefined = scanEveryMs,
  ) {
    this.#host = host;
    this.#queue = queue;
    this.#everyMs = everyMs;
    this.#timer = setTimeout(() => void this.#go(), Math.min(everyMs, firstScanMs));
  }

  async #go(): Promise<void> {
    const { log } = this.#host;
    await this.#scanAndEnqueue().catch((error: unknown) =>
      log.debug({ err: error }, "the policy scan failed"),
    );
    if (!this.#over) this.#timer = setTimeout(() => void this.#go(), this.#everyMs);
  }

  async #scanAndEnqueue(): Promise<void> {
    const { log } = this.#host;
    const { areas, warnings } = await this.#scan();
    const problems = areas.flatMap(({ area, problems: own }) => own.map((problem) => `${area}: ${problem}`));
    for (const sentence of [...warnings, ...problems]) this.#warnOnce(sentence);
    for (const { area, policies } of areas) {
      for (const policy of policies) {
        if (this.#over) return;
        await this.#enqueueIfDue(area, policy).catch((error: unknown) =>
          this.#warnOnce(
            `${area}: [${policySections[policy.job]}] ${policy.name}: ${toJobsError(error).message}`,
          ),
        );
      }
    }
    log.debug({ areas: areas.length }, "scanned the areas for policies");
  }

  /** Logs a problem once while it lasts. */
  #warnOnce(sentence: string): void {
    if (this.#warned.has(sentence)) return;
    this.#warned.add(sentence);
    this.#host.log.warn(sentence);
  }

  async #enqueueIfDue(area: string, policy: Policy): Promise<void> {
    const { redis, settings, log } = this.#host;
    const { job: name } = policy;
    const payload = parsePayload(name, policyPayload(area, policy, settings.host));
    // A line that has changed counts as another one.
    const work = deduplicationId(name, payload);
    // A job's outcome is recorded before the job leaves the queue: who finds no job finds the outcome.
    if ((await this.#queue.getDeduplicationJobId(work)) !== null) return;
    const last = await readOutcome(redis, settings.prefix, {
      kind: "policy",
      name: policyName(policy),
      area,
    });
    if (!isDue(policy, last?.work === work ? last : undefined, Date.now())) return;
    const jobId = newJobId(name);
    const job = await this.#queue.add(name, payload, enqueueOptions(name, payload, jobId));
    if (job.id === jobId)
      log.info({ jobId, area, policy: policy.name }, `enqueued a ${name} for [${policySections[name]}]`);
  }

  async #scan(): Promise<PolicyScan> {
    const thread = scanThreads.take();
    this.#thread = thread;
    try {
      return await thread.call("scan", this.#host.settings);
    } finally {
      await scanThreads.giveBack(thread);
    }
  }

  /** Stops scanning. */
  stop(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    // It only reads; if it hangs on a file system it ends with the process.
    this.#thread?.unref();
    void this.#thread?.terminate();
  }
}
