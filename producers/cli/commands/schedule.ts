import type { Command } from "commander";
import ms from "ms";
import { JobsError } from "../../../shared/errors.ts";
import { automaticStatus } from "../../automatic-status.ts";
import { checkRequest } from "../../move-request.ts";
import { addSchedule as add, listSchedules, removeSchedule, type Schedule } from "../../schedules.ts";
import { withSession } from "../../session.ts";
import { automaticText } from "../../text/automatic-text.ts";
import { textTable } from "../../text/table.ts";
import { type AddCommand, addSharedOptions, type Bind, type CommandContext, teach } from "../command.ts";
import { requestOf } from "../move-command.ts";
import { duration } from "../option-values.ts";
import type { Outcome } from "../outcome.ts";
import { addSelectors } from "../selectors.ts";
import { addWorkOptions } from "../work-options.ts";

const unreachable = { 4: "Redis is out of reach" };

/** `mtjobs schedule add|list|remove` */
export const addSchedule: AddCommand = (program, bind) => {
  const command = program
    .command("schedule")
    .summary("repeat a reduce by a cron pattern or an interval: add, list, remove")
    .description(
      "Repeat a job. Schedules are kept in Redis; where an area's own users shall decide, use [reduce-records] of its megatest.config instead.",
    );
  teach(command, {
    examples: [
      [
        'mtjobs schedule add reduce /areas/a1 --age 30d --cron "0 2 * * *" --tz Europe/Berlin',
        "at two each night",
      ],
      ["mtjobs schedule add reduce --keep 5 --every 12h --name keep5", "the area you are in, twice a day"],
      ["mtjobs schedule list", "all of them, and those that fail"],
      ["mtjobs schedule remove keep5", "no more of that"],
    ],
    exits: { 3: "the area is outside --areas", ...unreachable },
  });
  addAdd(command, bind);
  addList(command, bind);
  addRemove(command, bind);
};

function addAdd(parent: Command, bind: Bind): void {
  const command = parent
    .command("add")
    .summary("repeat a job")
    .argument("<job>", "what to repeat: reduce")
    .argument("[area]", "the area's path; the working directory if left out")
    .option("--cron <pattern>", 'minute, hour, day of month, month and day of week: "0 2 * * *"')
    .option("--every <duration>", "an interval instead: at once, and then so often", duration("--every"))
    .option("--name <name>", "what to call it (default: made of job and area)");
  addSelectors(command, {
    keep: "leave the newest N of each target",
    includeLocked: "runs that their owner locked, too",
  });
  addWorkOptions(command, "time zone of --cron and --between (default: that of this host)");
  addSharedOptions(command);
  teach(command, {
    examples: [
      ['mtjobs schedule add reduce . --age 30d --cron "30 22 * * 1-5" --max-time 2h', "on weekdays"],
    ],
    exits: { 3: "the area is outside --areas", ...unreachable },
  });
  bind(command, addOne);
}

async function addOne(context: CommandContext): Promise<Outcome> {
  const { args, options, settings, io } = context;
  const [job, area] = args;
  if (job !== "reduce") {
    throw new JobsError("usage", `"${job}" cannot be repeated`, {
      hint: "write: mtjobs schedule add reduce AREA",
    });
  }
  const request = await requestOf(context, job, area);
  const checked = await checkRequest(job, request, { settings, cwd: io.cwd, env: io.env });
  const text = (name: string) => options[name] as string | undefined;
  const schedule = await withSession(settings, (session) =>
    add(session, checked, {
      name: text("name"),
      cron: text("cron"),
      tz: text("tz"),
      every: options.every as number | undefined,
    }),
  );
  return { document: schedule, text: `${schedule.name}: ${oftenText(schedule)}, next at ${schedule.next}` };
}

function addList(parent: Command, bind: Bind): void {
  const command = parent.command("list").summary("all schedules, and how their last jobs ended");
  addSharedOptions(command);
  teach(command, { examples: [["mtjobs schedule list --json", "for programs"]], exits: unreachable });
  bind(command, async ({ settings }) => {
    const [schedules, automatic] = await withSession(settings, async (session) => [
      await listSchedules(session),
      await automaticStatus(session),
    ]);
    const rows = schedules.map((schedule) => [
      schedule.name,
      schedule.host,
      schedule.job,
      schedule.area,
      oftenText(schedule),
      schedule.next ?? "-",
    ]);
    const table = textTable(rows, { head: ["NAME", "HOST", "JOB", "AREA", "WHEN", "NEXT"] });
    const failing = automaticText(automatic.filter(({ kind }) => kind === "schedule"));
    const text =
      rows.length === 0 ? "no schedules" : [table, failing].filter((part) => part !== "").join("\n\n");
    const last = (name: string) => automatic.find((each) => each.kind === "schedule" && each.name === name);
    const document = schedules.map((schedule) => {
      const { ok = true, problem = null, last: end = null } = last(schedule.name) ?? {};
      return { ...schedule, ok, problem, last: end };
    });
    return { document: { schedules: document }, text };
  });
}

function addRemove(parent: Command, bind: Bind): void {
  const command = parent
    .command("remove")
    .summary("end a schedule; a job that it added goes on")
    .argument("<name>", "the schedule's name");
  addSharedOptions(command);
  teach(command, { examples: [["mtjobs schedule remove reduce-a1", "end it"]], exits: unreachable });
  bind(command, async ({ settings, args }) => {
    const removed = await withSession(settings, (session) => removeSchedule(session, args[0] ?? ""));
    return { document: { ...removed, removed: true }, text: `${removed.name}: removed` };
  });
}

function oftenText({ cron, tz, every }: Schedule): string {
  return cron === null ? `every ${ms(every ?? 0)}` : `${cron} (${tz})`;
}
