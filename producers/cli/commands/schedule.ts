import type { Command } from "commander";
import { automaticText } from "../../format/status.ts";
import { textTable } from "../../format/table.ts";
import { requester } from "../../jobs/check-move.ts";
import { withSession } from "../../jobs/session.ts";
import { scheduleStatus } from "../../schedules/schedule-status.ts";
import {
  nextText,
  oftenText,
  pausedText,
  pauseSchedule,
  removeSchedule,
  resumeSchedule,
} from "../../schedules/schedules.ts";
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
  addPause(command, bind);
  addResume(command, bind);
  addRemove(command, bind);
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

function addPause(parent: Command, bind: Bind): void {
  const command = parent
    .command("pause")
    .summary("let a schedule take no turn until it is resumed; a job that it has added continues")
    .argument("<name>", "the schedule's name");
  addSharedOptions(command);
  addHelp(command, { examples: [["mtjobs schedule pause reduce-a1", "pause it"]], exits: unreachable });
  bind(command, async ({ settings, args }) => {
    const paused = await withSession(settings, (session) =>
      pauseSchedule(session, args[0] ?? "", requester(settings)),
    );
    return { document: paused, text: `${paused.name}: ${pausedText(paused)}`, changed: true };
  });
}

function addResume(parent: Command, bind: Bind): void {
  const command = parent
    .command("resume")
    .summary("let a paused schedule take its turns again; those that have passed are left out")
    .argument("<name>", "the schedule's name");
  addSharedOptions(command);
  addHelp(command, { examples: [["mtjobs schedule resume reduce-a1", "resume it"]], exits: unreachable });
  bind(command, async ({ settings, args }) => {
    const resumed = await withSession(settings, (session) => resumeSchedule(session, args[0] ?? ""));
    return { document: resumed, text: `${resumed.name}: next at ${nextText(resumed)}`, changed: true };
  });
}

function addRemove(parent: Command, bind: Bind): void {
  const command = parent
    .command("remove")
    .summary("remove a schedule; a job that it has added continues")
    .argument("<name>", "the schedule's name");
  addSharedOptions(command);
  addHelp(command, { examples: [["mtjobs schedule remove reduce-a1", "remove it"]], exits: unreachable });
  bind(command, async ({ settings, args }) => {
    const removed = await withSession(settings, (session) => removeSchedule(session, args[0] ?? ""));
    return { document: { ...removed, removed: true }, text: `${removed.name}: removed`, changed: true };
  });
}
