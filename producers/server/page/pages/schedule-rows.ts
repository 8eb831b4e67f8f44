import { html, type TemplateResult } from "lit-html";
import { policyName } from "../../../../shared/area/config/policy-name.ts";
import { elapsedText } from "../../../../shared/time/elapsed.ts";
import type { AutomaticStatus } from "../../../contract/fleet.ts";
import type { ListedPolicy, ScheduleStatus } from "../../../contract/schedule.ts";
import type { HistoryLine } from "../data/documents.ts";
import { clock, shown } from "../data/format.ts";
import { homeName, may } from "../data/state.ts";
import { when } from "../widgets/links.ts";

type Last = AutomaticStatus["last"];

/** A schedule, or a line of `[reduce-records]` or `[purge-records]`, in the page's words. */
export interface Row {
  /** Differs from that of every other row. */
  key: string;
  name: string;
  area: string;
  host: string;
  often: string;
  next: TemplateResult | string;
  /** undefined: it cannot be paused. */
  isPaused: boolean | undefined;
  ok: boolean;
  problem: string | null;
  last: Last;
  /** The request of its job; undefined if it is unknown, or if the token may not send it. */
  request: Record<string, unknown> | undefined;
  isTurn: (line: HistoryLine) => boolean;
}

/** Members of a job's data that a request over HTTP has none of. */
const own = new Set(["v", "requestedBy"]);

function requestOf(job: string, data: object): Record<string, unknown> | undefined {
  const request = { ...Object.fromEntries(Object.entries(data).filter(([name]) => !own.has(name))), job };
  const needsAdmin = "now" in request && request.now === true;
  return may(needsAdmin ? "admin" : "operate") ? request : undefined;
}

export function lastText(last: NonNullable<Last>): string {
  if (last.error !== null) return last.error.code;
  return last.timeUp === null ? "completed" : "completed in part";
}

export function scheduleRow(schedule: ScheduleStatus): Row {
  const { name, area, host, job, cron, tz, every, next, paused, ok, problem, last, data } = schedule;
  const often = cron === null ? `every ${elapsedText(every ?? 0)}` : `${cron} (${tz ?? "UTC"})`;
  return {
    ...{ key: `schedule ${name}`, name, area, host, ok, problem, last },
    often: `${job}, ${often}`,
    next: paused === null ? nextTime(next) : pausedSince(paused),
    isPaused: paused !== null,
    request: requestOf(job, data),
    // The history does not tell a migration's schedule.
    isTurn: (line) => (job === "migrate" ? line.job === job : line.schedule === name),
  };
}

/** A worker requests a failed job again after this time, or sooner if its line asks for it, ms. */
const afterFailure = 3_600_000;

const nextTime = (next: string | null) =>
  next === null ? "–" : html`${when(next)}<div class="quiet">${clock(next)}</div>`;

const pausedSince = ({ at, by }: NonNullable<ScheduleStatus["paused"]>) =>
  html`paused by ${shown(by)}<div class="quiet">${when(at)}</div>`;

/** Tells when a policy's next job is due; `between` may delay it. */
function nextTurn(status: AutomaticStatus | undefined, everyMs: number): TemplateResult | string {
  const { last, ok } = status ?? { last: null, ok: true };
  if (last === null) return "when a worker of the homehost looks, within five minutes";
  if (last.timeUp === "between") return "when its part of the day begins";
  const due = Date.parse(last.startedAt) + (ok ? everyMs : Math.min(everyMs, afterFailure));
  if (due <= Date.now()) return "due: within five minutes";
  return nextTime(new Date(due).toISOString());
}

/** Returns the lines of all areas with how their last jobs ended, and those that were removed since they had one. */
export function policyRows(lines: readonly ListedPolicy[], automatic: readonly AutomaticStatus[]): Row[] {
  const keyOf = (area: string, name: string) => `policy ${area} ${name}`;
  const ended = automatic.filter(({ kind }) => kind === "policy");
  const byKey = new Map(ended.map((status) => [keyOf(status.area, status.name), status]));
  const present = lines.map((line) => {
    const key = keyOf(line.area, policyName(line));
    const status = byKey.get(key);
    byKey.delete(key);
    return policyRow(key, line, status);
  });
  return [...present, ...[...byKey].map(([key, status]) => removedRow(key, status))].sort((one, other) =>
    one.key < other.key ? -1 : 1,
  );
}

function policyRow(key: string, line: ListedPolicy, status: AutomaticStatus | undefined): Row {
  const { area, job, text, everyMs, homehost, request } = line;
  const name = policyName(line);
  return {
    ...{ key, name, area, host: status?.host ?? homeName({ homehost }), isPaused: undefined },
    ...{ ok: status?.ok ?? true, problem: status?.problem ?? null, last: status?.last ?? null },
    often: `${job}, ${text}`,
    next: nextTurn(status, everyMs),
    request: requestOf(job, { ...request, area, policy: name }),
    isTurn: (each) => each.policy === name,
  };
}

function removedRow(key: string, { name, area, host, ok, problem, last }: AutomaticStatus): Row {
  return {
    ...{ key, name, area, host, ok, problem, last, isPaused: undefined, request: undefined },
    ...{ often: "not in megatest.config now", next: "–" },
    isTurn: (each) => each.policy === name,
  };
}
