import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { fleetStatus } from "../../fleet/status.ts";
import type { ServerContext } from "./server-context.ts";

/** `/metrics`: queues, workers and areas for Prometheus; unavailable values are omitted. */
export const metricsRoute =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    const registry = new Registry();
    collectDefaultMetrics({ register: registry, prefix: "mtjobs_server_" });
    const watchFleet = fleetGauges(registry, context);
    const watchAreas = areaGauges(registry, context);
    app.get("/metrics", { logLevel: "warn", schema: { hide: true } }, async (_request, reply) => {
      await Promise.all([watchFleet(), watchAreas()]);
      return reply.type(registry.contentType).send(await registry.metrics());
    });
  };

function gauge<Label extends string>(
  registry: Registry,
  name: string,
  help: string,
  labelNames: readonly Label[],
) {
  return new Gauge({ name: `mtjobs_${name}`, help, labelNames, registers: [registry] });
}

function fleetGauges(registry: Registry, { session, ask }: ServerContext): () => Promise<void> {
  const redis = gauge(registry, "redis_up", "1 if Redis responds", []);
  const jobs = gauge(registry, "jobs", "Jobs in the queues by state", ["host", "state"]);
  const workers = gauge(registry, "worker_up", "1 if the host's worker is alive", ["host"]);
  const drained = gauge(registry, "host_drained", "1 if the host takes no new areas", ["host"]);
  const failing = gauge(
    registry,
    "automatic_failing",
    "1 if the last job of a schedule or of a line of [reduce-records] failed, or if a due job was not started",
    ["kind", "name", "area"],
  );
  return async () => {
    const fleet = await ask(() => fleetStatus(session)).catch(() => undefined);
    for (const each of [jobs, workers, drained, failing]) each.reset();
    redis.set(fleet === undefined ? 0 : 1);
    for (const { host, counts, worker, drained: since } of fleet?.hosts ?? []) {
      for (const [state, count] of Object.entries(counts)) jobs.set({ host, state }, count);
      workers.set({ host }, worker?.alive === true ? 1 : 0);
      drained.set({ host }, since === null ? 0 : 1);
    }
    for (const { kind, name, area, ok } of fleet?.automatic ?? [])
      failing.set({ kind, name, area }, ok ? 0 : 1);
  };
}

function areaGauges(registry: Registry, { areaPool }: ServerContext): () => Promise<void> {
  const up = gauge(registry, "areas_readable", "1 if the areas' file system responds", []);
  const bytes = gauge(registry, "area_database_bytes", "Size of an area's database", ["area", "database"]);
  const succeeded = gauge(
    registry,
    "area_last_success_timestamp_seconds",
    "When a job of that kind last succeeded on the area",
    ["area", "job"],
  );
  const failed = gauge(
    registry,
    "area_last_job_failed",
    "1 if the last job of that kind on the area failed",
    ["area", "job"],
  );
  const oldest = gauge(
    registry,
    "area_oldest_run_timestamp_seconds",
    "When the oldest run that could leave megatest.db began",
    ["area"],
  );
  return async () => {
    const measures = await areaPool.measures().catch(() => undefined);
    for (const each of [bytes, succeeded, failed, oldest]) each.reset();
    up.set(measures === undefined ? 0 : 1);
    for (const { area, bytes: sizes, jobs, oldestRunAt } of measures ?? []) {
      if (oldestRunAt !== null) oldest.set({ area }, oldestRunAt);
      for (const [database, size] of Object.entries(sizes)) bytes.set({ area, database }, size);
      for (const [job, last] of Object.entries(jobs)) {
        failed.set({ area, job }, last.failed ? 1 : 0);
        if (last.succeededAt !== null) succeeded.set({ area, job }, last.succeededAt / 1000);
      }
    }
  };
}
