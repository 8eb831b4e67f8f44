import { policyText } from "../../shared/area/config/policy-name.ts";
import { spanText } from "../../shared/area/servers.ts";
import type { HistoryLine } from "../../shared/contract/area-facts.ts";
import type { MoveResult } from "../../shared/contract/move-result.ts";
import { JobsError } from "../../shared/errors.ts";
import { verbOf } from "../../shared/job-verbs.ts";
import { agoText, bytesText, countText, plural } from "../../shared/text.ts";
import { isoTime } from "../areas/iso-time.ts";
import { stateTexts } from "../areas/migration-status.ts";
import type { AreaStatus, NamedRun } from "../contract/area.ts";
import type { AutomaticStatus, FleetStatus, QueueStatus } from "../contract/fleet.ts";
import type { JobView } from "../contract/job.ts";
import { placeText } from "./migrate-result.ts";
import { leftovers, leftoverText } from "./move-result.ts";
import { printable, textTable } from "./table.ts";

export function fleetStatusText({ hosts, automatic }: FleetStatus): string {
  const rows = hosts.map(({ host, counts, worker, drained }) => [
    host,
    `${workerText(worker)}${drained === null ? "" : ", drained"}`,
    worker?.address ?? "-",
    counts.active ?? 0,
    (counts.waiting ?? 0) + (counts.prioritized ?? 0),
    counts.delayed ?? 0,
    counts.failed ?? 0,
    counts.completed ?? 0,
    worker?.areas.join(":") ?? "-",
  ]);
  const table = textTable(rows, {
    head: ["HOST", "WORKER", "ADDRESS", "ACTIVE", "WAITING", "DELAYED", "FAILED", "COMPLETED", "AREAS"],
    right: [3, 4, 5, 6, 7],
  });
  if (rows.length === 0) return "no hosts yet: a host is listed once a worker starts there (mtjobs worker)";
  return [table, automaticText(automatic)].filter((paragraph) => paragraph !== "").join("\n\n");
}

function workerText(worker: QueueStatus["worker"]): string {
  if (worker === null) return "none yet";
  return worker.alive ? "alive" : `gone (seen ${agoText(worker.seenAt)})`;
}

/** Formats an area's status with its queue's jobs, or with the reason why the queue cannot be read. */
export function areaStatusText(
  status: AreaStatus,
  queue: { jobs: readonly JobView[]; automatic: readonly AutomaticStatus[] } | JobsError,
): string {
  const { jobs, automatic } = queue instanceof JobsError ? { jobs: [], automatic: [] } : queue;
  const facts = [
    ["area", status.area],
    ["name", nameText(status.name)],
    ["id", status.areaId ?? "none yet (the first job creates it)"],
    ["home", `${status.homeReason}${status.pinned ? " (pinned in megatest.config)" : ""}`],
    ["cache", cacheText(status)],
    [
      "runs",
      `${countOrUnknown(status.runs)} in megatest.db, ${countOrUnknown(status.completedRuns)} in completed-runs.db`,
    ],
    ...moreAboutRuns(status),
    ["held by", holderText(status)],
    ...migrationRows(status),
    ...(status.paused === null
      ? []
      : [["paused", `jobs are paused by ${status.paused}; delete it to resume them`]]),
    ...status.policies.map(({ name, text, job }) => [
      job === "purge" ? "purges" : "reduces",
      `${name}: ${text}`,
    ]),
    ...(queue instanceof JobsError ? [["queue", `unknown: ${queue.message}`]] : []),
  ];
  const paragraphs = [textTable(facts), sidesTable(status)];
  const servers = status.servers.map((server) => [
    server.state,
    server.address ?? server.host,
    `pid ${server.pid}`,
    server.aheadMs === undefined
      ? `log written ${agoText(isoTime(server.logMtimeMs))}`
      : `log dated ${spanText(server.aheadMs)} ahead`,
  ]);
  if (servers.length > 0) paragraphs.push(`Megatest servers:\n${textTable(servers, { indent: "  " })}`);
  const unfinished = jobs.map((job) => [
    job.jobId,
    job.state,
    `on ${job.host}`,
    `added ${agoText(job.addedAt)}`,
  ]);
  if (unfinished.length > 0) paragraphs.push(`unfinished jobs:\n${textTable(unfinished, { indent: "  " })}`);
  if (status.history.length > 0) {
    paragraphs.push(`last jobs:\n${textTable(status.history.map(historyRow), { indent: "  " })}`);
  }
  const failing = automaticText(automatic);
  if (failing !== "") paragraphs.push(failing);
  for (const problem of status.problems) paragraphs.push(`warning: ${printable(problem)}`);
  return paragraphs.join("\n\n");
}

/** Blanks at the ends are part of the name; quotes make them visible. */
const nameText = (name: string) => (name === name.trim() ? name : JSON.stringify(name));

function cacheText({ cache, cacheOnlyRuns }: AreaStatus): string {
  if (cache !== null) return cache;
  return cacheOnlyRuns === null ? "not checked: see below" : "none on this host for this user";
}

function holderText({ held, lease }: AreaStatus): string {
  if (held === null) return "unknown: cannot read megatest.db (see below)";
  if (lease === null) return "no job";
  return `${lease.holder} for ${lease.jobId ?? "?"} since ${lease.since} until ${lease.expiresAt}`;
}

function migrationRows({ migration }: AreaStatus): string[][] {
  if (migration === null || !migration.open) return [];
  const { kind, state, from, fromHost, to, toHost, jobId, requestedBy, begunAt } = migration;
  const [where, whereTo] = [placeText(fromHost, from), placeText(toHost, to)];
  return [
    [kind, `from ${where} to ${whereTo}, for ${jobId} of ${requestedBy}, started ${agoText(begunAt)}`],
    ["", `${state}: ${stateTexts[state]}`],
  ];
}

function moreAboutRuns({ cacheOnlyRuns, unfinishedRuns }: AreaStatus): string[][] {
  const rows: string[][] = [];
  if (cacheOnlyRuns !== null && cacheOnlyRuns > 0)
    rows.push(["", `${plural(cacheOnlyRuns, "run")} only in the cache, not synced yet`]);
  for (const [state, count] of Object.entries(unfinishedRuns ?? {})) {
    const runs = plural(count, "run");
    rows.push(["", `${runs} half moved (${state}); the current or the next job finishes or undoes that`]);
  }
  return rows;
}

function sidesTable({ bytes, sides }: AreaStatus): string {
  const run = (named: NamedRun | null | undefined) =>
    named == null ? "-" : `${named.target}/${named.runname} (${named.begunAt?.slice(0, 10) ?? "no date"})`;
  const rows = Object.entries(bytes).map(([file, size]) => {
    const side = sides[file];
    const free = side == null ? "-" : bytesText(side.freeBytes);
    return [
      file,
      bytesText(size),
      free,
      side == null ? "-" : side.runs,
      run(side?.oldest),
      run(side?.newest),
    ];
  });
  const head = ["FILE", "SIZE", "A VACUUM FREES", "RUNS", "OLDEST", "NEWEST"];
  return textTable(rows, { head, right: [1, 2, 3], indent: "  " });
}

function countOrUnknown(count: number | null): string {
  return count === null ? "an unknown number" : countText(count);
}

/** Formats a history line; members other than the id may be missing or of any type. */
function historyRow(line: HistoryLine): string[] {
  const text = (name: string) => (typeof line[name] === "string" ? line[name] : "");
  return [line.jobId, text("state"), text("at"), text("requestedBy"), workText(line)];
}

function workText(line: HistoryLine): string {
  const { job, moved, outcome, from, to } = line;
  if (job === "migrate") return `${String(outcome)}: from ${String(from)} to ${String(to)}`;
  if (typeof moved !== "object" || moved === null || !("runs" in moved)) return "";
  if (job !== "repair") return `${plural(Number(moved.runs), "run")} ${verbOf(job).did}`;
  const ends = leftovers(line as unknown as MoveResult);
  return ends.length === 0 ? "nothing was left half done" : ends.map(leftoverText).join("; ");
}

/** Returns a line for each failing schedule or policy; empty if all are fine. */
export function automaticText(
  all: readonly Pick<AutomaticStatus, "kind" | "name" | "area" | "ok" | "problem">[],
): string {
  return all
    .filter(({ ok }) => !ok)
    .map(({ kind, name, area, problem }) => {
      const what = kind === "schedule" ? `schedule ${name}` : policyText(name);
      return printable(`FAILING: ${what} of ${area}: ${problem}`);
    })
    .join("\n");
}
