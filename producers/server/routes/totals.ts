import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { toJobsError } from "../../../shared/errors.ts";
import { plural } from "../../../shared/text.ts";
import { BoundedList, beginningOf } from "../../browse/bounded.ts";
import type { FoundAreas } from "../../contract/area.ts";
import type { FleetStatus, QueueStatus } from "../../contract/fleet.ts";
import { type Totals, type Trouble, totalsSchema } from "../../contract/totals.ts";
import { EndedJobs, type JobHours } from "../../fleet/ended-jobs.ts";
import { fleetStatus } from "../../fleet/status.ts";
import type { MeasuredArea } from "../area-pool/area-pool.ts";
import { problems } from "./jobs.ts";
import type { ServerContext } from "./server-context.ts";

/** How long an answer is cached, in ms. */
const freshFor = 10_000;
const mostTroubles = 100;
const troubleBytes = 60_000;
const mostHosts = 100;

/** `/api/v1/totals`: the farm in a few numbers. */
export const totalsRoute =
  (context: ServerContext): FastifyPluginAsyncZod =>
  async (app) => {
    const ended = new EndedJobs(context.session);
    let last: { at: number; totals: Promise<Totals> } | undefined;
    app.get(
      "/totals",
      {
        schema: {
          tags: ["areas"],
          summary: "Areas, runs, bytes saved, jobs per hour and host, and what is wrong",
          description:
            "At most 10 seconds old; sizes 30 seconds, runs 5 minutes. Doctor's checks are not included.",
          response: { 200: totalsSchema, ...problems() },
        },
      },
      async () => {
        if (last === undefined || performance.now() - last.at > freshFor)
          last = { at: performance.now(), totals: readTotals(context, ended) };
        return await last.totals;
      },
    );
  };

async function readTotals({ session, ask, areaPool }: ServerContext, ended: EndedJobs): Promise<Totals> {
  const wrong: Trouble[] = [];
  const orNull = async <T>(kind: Trouble["kind"], read: Promise<T>): Promise<T | null> => {
    try {
      return await read;
    } catch (error) {
      wrong.push({ kind, text: toJobsError(error).message });
      return null;
    }
  };
  const [farm, files] = await Promise.all([
    orNull(
      "redis",
      ask(() => Promise.all([fleetStatus(session), ended.perHour()])),
    ),
    orNull("files", Promise.all([areaPool.areas(), areaPool.measures()])),
  ]);
  const areas = files && sumAreas(files[0], files[1], wrong);
  const jobs = farm && sumJobs(farm[0], farm[1], wrong);
  if (farm !== null && files !== null) wrong.push(...stillAtHome(farm[0], files[0]));
  const list = new BoundedList<Trouble>(troubleBytes);
  for (const trouble of wrong.slice(0, mostTroubles)) list.add(shortened(trouble));
  return { areas, jobs, wrong: { total: wrong.length, list: list.rows } };
}

/** Drained hosts that areas still depend on. */
function stillAtHome({ hosts }: FleetStatus, { areas }: FoundAreas): Trouble[] {
  return hosts.flatMap(({ host, worker, drained }) => {
    const names = [host, worker?.address];
    const left = areas.filter(({ homehost }) => homehost !== null && names.includes(homehost)).length;
    if (drained === null || left === 0) return [];
    const text = `is drained, and still the homehost of ${plural(left, "area")}`;
    return [{ kind: "host" as const, text, host }];
  });
}

function shortened({ text, area, ...rest }: Trouble): Trouble {
  return {
    ...rest,
    text: beginningOf(text),
    ...(area === undefined ? {} : { area: beginningOf(area, 4096) }),
  };
}

function sumAreas(
  { areas, warnings }: FoundAreas,
  measures: readonly MeasuredArea[],
  wrong: Trouble[],
): NonNullable<Totals["areas"]> {
  for (const { area, problem } of areas)
    if (problem !== null) wrong.push({ kind: "area", text: problem, area });
  for (const { area, jobs } of measures)
    for (const [job, { failed }] of Object.entries(jobs))
      if (failed) wrong.push({ kind: "job", text: `the last ${job} failed`, area });
  for (const text of warnings) wrong.push({ kind: "files", text });
  const sum = (value: (area: MeasuredArea) => number | null | undefined) =>
    measures.reduce((total, area) => total + (value(area) ?? 0), 0);
  return {
    total: areas.length,
    unusable: areas.filter(({ problem }) => problem !== null).length,
    counted: measures.filter(({ runs }) => runs !== null).length,
    runs: {
      "megatest.db": sum(({ runs }) => runs?.["megatest.db"]),
      "completed-runs.db": sum(({ runs }) => runs?.["completed-runs.db"]),
    },
    bytes: {
      "megatest.db": sum(({ bytes }) => bytes["megatest.db"]),
      "completed-runs.db": sum(({ bytes }) => bytes["completed-runs.db"]),
    },
    savedBytes: sum(({ savedBytes }) => savedBytes),
  };
}

const unfinishedStates = ["waiting", "active", "delayed", "prioritized", "waiting-children"];

function unfinished({ counts }: QueueStatus): number {
  return unfinishedStates.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

function sumJobs(fleet: FleetStatus, { from, hosts, complete }: JobHours, wrong: Trouble[]): Totals["jobs"] {
  for (const queue of fleet.hosts) {
    const waiting = unfinished(queue);
    if (queue.worker?.alive !== true && waiting > 0)
      wrong.push({
        kind: "host",
        text: `no live worker, and ${waiting} jobs in its queue`,
        host: queue.host,
      });
  }
  for (const { kind, name, area, host, ok, problem } of fleet.automatic)
    if (!ok) wrong.push({ kind: "automatic", text: `${kind} ${name}: ${problem ?? "failed"}`, area, host });
  const sum = (kind: "completed" | "failed" | "cancelled") =>
    hosts.flatMap((host) => host[kind]).reduce((total, jobs) => total + jobs, 0);
  return {
    from: from / 1000,
    completed: sum("completed"),
    failed: sum("failed"),
    cancelled: sum("cancelled"),
    unfinished: fleet.hosts.reduce((total, queue) => total + unfinished(queue), 0),
    complete,
    hosts: hosts.slice(0, mostHosts),
  };
}
