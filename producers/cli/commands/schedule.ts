import type { Command } from "commander";
import type { Settings } from "../../../shared/settings/settings.ts";
import type { Schedule } from "../../contract/schedule.ts";
import { automaticText } from "../../format/status.ts";
import { textTable } from "../../format/table.ts";
import { requester } from "../../jobs/check-move.ts";
import { type Session, withSession } from "../../jobs/session.ts";
import { pauseSchedule, resumeSchedule } from "../../schedules/pause.ts";
import { scheduleStatus } from "../../schedules/schedule-status.ts";
import { nextText, oftenText, pausedText, removeSchedule } from "../../schedules/schedules.ts";
import { type AddCommand, addHelp, addSharedOptions, type Bind } from "../command.ts";
import { addScheduleAdd } from "./schedule-add.ts";

const unreachable = { 4: "Redis is unreachable" };

export const addSchedule: AddCommand = (program, bind) => {
  const command = program
    .command("schedule")
    .summary("repeat a reduce or a migration by cron pattern or interval: add, list, pause, resume, remove")
    .description(
      "Repeat a job. Schedules are kept in Redis. To let an area's own users decide, use [reduce-records] in its megatest.config instead.",
    );
  addHelp(command, {
    examples: [
      [
        'mtjobs schedule add reduce /areas/a1 --age 30d --cron "0 2 * * *" --tz Europe/Berlin',
        "at two each night",
      ],
      ["mtjobs schedule add reduce --keep 5 --every 12h --name keep5", "the working directory, twice a day"],
      [
        'mtjobs schedule add migrate /areas/a1 --to hostB --when-quiet --cron "0 20 * * 5"',
        "to hostB for the weekend",
      ],
      ["mtjobs schedule list", "all schedules, and those that fail"],
      ["mtjobs schedule pause keep5", "no turns until it is resumed"],
      ["mtjobs schedule remove keep5", "remove that schedule"],
    ],
    exits: { 3: "the area is outside --areas, or may not move there", ...unreachable },
  });
  addScheduleAdd(command, bind);
  addList(command, bind);
  for (const each of changeCommands) addChange(command, bind, each);
};

function addList(parent: Command, bind: Bind): void {
  const command = parent.command("list").summary("list all schedules and how their last jobs ended");
  addSharedOptions(command);
  addHelp(command, { examples: [["mtjobs schedule list --json", "for programs"]], exits: unreachable });
  bind(command, async ({ settings }) => {
    const schedules = await withSession(settings, scheduleStatus);
    const rows = schedules.map((schedule) => [
      schedule.name,
      schedule.host,
      schedule.job,
      schedule.area,
      oftenText(schedule),
      schedule.paused === null ? nextText(schedule) : pausedText(schedule),
    ]);
    const table = textTable(rows, { head: ["NAME", "HOST", "JOB", "AREA", "WHEN", "NEXT"] });
    const failing = automaticText(schedules.map((schedule) => ({ ...schedule, kind: "schedule" })));
    const text =
      rows.length === 0
        ? "no schedules"
        : [table, failing].filter((paragraph) => paragraph !== "").join("\n\n");
    return { document: { schedules }, text };
  });
}

/** A command about one schedule. */
interface ChangeCommand {
  name: "pause" | "resume" | "remove";
  summary: string;
  change: (session: Session, name: string, settings: Settings) => Promise<Schedule>;
  describe: (schedule: Schedule) => string;
}

const changeCommands: readonly ChangeCommand[] = [
  {
    name: "pause",
    summary: "let a schedule take no turn until it is resumed; a job that it has added continues",
    change: (session, name, settings) => pauseSchedule(session, name, requester(settings)),
    describe: pausedText,
  },
  {
    name: "resume",
    summary: "let a paused schedule take its turns again; those that have passed are left out",
    change: resumeSchedule,
    describe: (schedule) => `next at ${nextText(schedule)}`,
  },
  {
    name: "remove",
    summary: "remove a schedule; a job that it has added continues",
    change: removeSchedule,
    describe: () => "removed",
  },
];

function addChange(parent: Command, bind: Bind, { name, summary, change, describe }: ChangeCommand): void {
  const command = parent.command(name).summary(summary).argument("<name>", "the schedule's name");
  addSharedOptions(command);
  addHelp(command, { examples: [[`mtjobs schedule ${name} reduce-a1`, `${name} it`]], exits: unreachable });
  bind(command, async ({ settings, args }) => {
    const schedule = await withSession(settings, (session) => change(session, args[0] ?? "", settings));
    const document = name === "remove" ? { ...schedule, removed: true } : schedule;
    return { document, text: `${schedule.name}: ${describe(schedule)}`, changed: true };
  });
}
