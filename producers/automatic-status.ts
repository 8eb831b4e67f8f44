import { listOutcomes, type Origin, type Outcome } from "../shared/queue/outcomes.ts";
import { listSchedules, type Schedule } from "./schedules.ts";
import type { Session } from "./session.ts";

/** A schedule, or a line of `[reduce-records]` that asked for a job, and how its jobs end. */
export interface AutomaticStatus extends Origin {
  host: string;
  /** A schedule's next turn, ISO 8601; a policy has none: workers look every few minutes. */
  next: string | null;
  /** What it asks for can be trusted to happen: its last job did not fail, and its turn was taken. */
  ok: boolean;
  /** One sentence where it is not ok. */
  problem: string | null;
  /** How its last job ended; null where there was none. */
  last: Omit<Outcome, keyof Origin | "work"> | null;
}

/** A schedule, and how its jobs end. */
export type ScheduleStatus = Schedule & Pick<AutomaticStatus, "ok" | "problem" | "last">;

/** What runs by itself on the whole farm, by name. */
export async function automaticStatus(session: Session): Promise<AutomaticStatus[]> {
  const { schedules, outcomes } = await lookAtOrigins(session);
  const policies = outcomes.filter(({ kind }) => kind === "policy");
  return [
    ...schedules.map((schedule) => describeSchedule(schedule, outcomes)),
    ...policies.map((outcome) => describe(outcome, outcome, undefined)),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The schedules of the whole farm, by name. */
export async function scheduleStatus(session: Session): Promise<ScheduleStatus[]> {
  const { schedules, outcomes } = await lookAtOrigins(session);
  return schedules.map((schedule) => {
    const { ok, problem, last } = describeSchedule(schedule, outcomes);
    return { ...schedule, ok, problem, last };
  });
}

async function lookAtOrigins(session: Session) {
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
  const problem = problemOf(outcome, schedule);
  return {
    kind,
    name,
    area,
    host: schedule?.host ?? outcome?.host ?? "",
    next: schedule?.next ?? null,
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
      outcome.succeededAt === null ? "none ever succeeded" : `the last success was ${outcome.succeededAt}`;
    return `${times} (${outcome.error?.code ?? "cancelled"}: ${outcome.error?.message ?? ""}); ${before}`;
  }
  if (schedule?.overdue !== true) return null;
  return `its turn was ${schedule.next} and nobody took it: see whether a worker serves ${schedule.host}`;
}
