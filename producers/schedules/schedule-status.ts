import type { Origin, Outcome } from "../../shared/contract/queue-records.ts";
import { listOutcomes } from "../../shared/queue/outcomes.ts";
import type { AutomaticStatus } from "../contract/fleet.ts";
import type { Schedule, ScheduleStatus } from "../contract/schedule.ts";
import type { Session } from "../jobs/session.ts";
import { listSchedules, nextText } from "./schedules.ts";

/** Returns all schedules and policies of all hosts, by name. */
export async function automaticStatus(session: Session): Promise<AutomaticStatus[]> {
  const { schedules, outcomes } = await readOrigins(session);
  const policies = outcomes.filter(({ kind }) => kind === "policy");
  return [
    ...schedules.map((schedule) => describeSchedule(schedule, outcomes)),
    ...policies.map((outcome) => describe(outcome, outcome, undefined)),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

export async function scheduleStatus(session: Session): Promise<ScheduleStatus[]> {
  const { schedules, outcomes } = await readOrigins(session);
  return schedules.map((schedule) => {
    const { ok, problem, last } = describeSchedule(schedule, outcomes);
    return { ...schedule, ok, problem, last };
  });
}

async function readOrigins(session: Session) {
  const { redis, settings } = session;
  const [schedules, outcomes] = await Promise.all([
    listSchedules(session),
    listOutcomes(redis, settings.prefix),
  ]);
  return { schedules, outcomes };
}

function describeSchedule(schedule: Schedule, outcomes: readonly Outcome[]): AutomaticStatus {
  const { name, area } = schedule;
  const outcome = outcomes.find((each) => each.kind === "schedule" && each.name === name);
  return describe({ kind: "schedule", name, area }, outcome, schedule);
}

function describe(
  { kind, name, area }: Origin,
  outcome: Outcome | undefined,
  schedule: Schedule | undefined,
): AutomaticStatus {
  const paused = schedule?.paused ?? null;
  const problem = paused === null ? problemOf(outcome, schedule) : null;
  return {
    kind,
    name,
    area,
    host: schedule?.host ?? outcome?.host ?? "",
    next: schedule?.next ?? null,
    paused,
    ok: problem === null,
    problem,
    last: outcome === undefined ? null : lastOf(outcome),
  };
}

function lastOf({ kind: _kind, name: _name, area: _area, work: _work, ...last }: Outcome) {
  return last;
}

function problemOf(outcome: Outcome | undefined, schedule: Schedule | undefined): string | null {
  if (outcome !== undefined && outcome.failures > 0) {
    const times = outcome.failures === 1 ? "its last job failed" : `its last ${outcome.failures} jobs failed`;
    const before =
      outcome.succeededAt === null
        ? "none has ever succeeded"
        : `the last success was at ${outcome.succeededAt}`;
    return `${times} (${outcome.error?.code ?? "cancelled"}: ${outcome.error?.message ?? ""}); ${before}`;
  }
  if (schedule?.overdue !== true) return null;
  return `due at ${nextText(schedule)}, but not started: check whether a worker serves ${schedule.host}`;
}
