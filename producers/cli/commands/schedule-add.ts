import type { Command } from "commander";
import { checkMigrate, type MigrateOptions } from "../../jobs/check-migrate.ts";
import { checkRequest } from "../../jobs/check-move.ts";
import { withSession } from "../../jobs/session.ts";
import { addSchedule, nextText, oftenText } from "../../schedules/schedules.ts";
import { addHelp, addSharedOptions, type Bind, type CommandContext, type HelpText } from "../command.ts";
import { requestOf } from "../move-command.ts";
import { addMigrateOptions, migrateOptionsOf } from "../options/migrate-options.ts";
import { duration } from "../options/option-values.ts";
import { addCompact, addSelectors, addWorkOptions } from "../options/selectors.ts";
import type { Outcome } from "../outcome.ts";

const unreachable = { 4: "Redis is unreachable" };

export function addScheduleAdd(parent: Command, bind: Bind): void {
  const command = parent.command("add").summary("repeat a job: reduce or migrate");
  addHelp(command, {
    examples: [
      ["mtjobs schedule add reduce --help", "options of a reduce"],
      ["mtjobs schedule add migrate --help", "options of a migration"],
    ],
    exits: unreachable,
  });
  addReduceTo(command, bind);
  addMigrateTo(command, bind);
}

function addReduceTo(parent: Command, bind: Bind): void {
  const command = addWhen(parent.command("reduce").summary("repeat a reduce"));
  addSelectors(command, {
    keep: "keep the newest N of each target in place",
    includeLocked: "include runs that their owner locked",
  });
  addCompact(command);
  addWorkOptions(command, "time zone of --cron and --between (default: this host's)");
  finish(command, {
    examples: [
      ['mtjobs schedule add reduce . --age 30d --cron "30 22 * * 1-5" --max-time 2h', "on weekdays"],
    ],
    exits: { 3: "the area is outside --areas", ...unreachable },
  });
  bind(command, async (context) => {
    const { args, settings, io } = context;
    const request = await requestOf(context, "reduce", args[0]);
    return await addOne(
      context,
      await checkRequest("reduce", request, { settings, cwd: io.cwd, env: io.env }),
    );
  });
}

function addMigrateTo(parent: Command, bind: Bind): void {
  const command = addWhen(parent.command("migrate").summary("repeat a migration"))
    .option("--to <host>", "the new homehost, by name or address (default: this host)")
    .option("--from <host>", "do it only while this is the homehost, by name or address");
  addMigrateOptions(command).option("--tz <zone>", "time zone of --cron (default: this host's)");
  finish(command, {
    notes: [
      "If the area is already at home there, a scheduled job does nothing. A refused job fails and is reported:\nuse --when-quiet to let it wait. A take-over cannot be scheduled.",
    ],
    examples: [
      [
        'mtjobs schedule add migrate . --to hostB --when-quiet --cron "0 20 * * 5"',
        "move it for the weekend",
      ],
      ['mtjobs schedule add migrate . --to hostA --when-quiet --cron "0 4 * * 1" --name back', "and back"],
    ],
    exits: { 3: "the area is pinned or outside --areas, or the host is unfit", ...unreachable },
  });
  bind(command, async (context) => {
    const { args, options, settings, io } = context;
    const { to, from } = options as MigrateOptions;
    const migrateOptions: MigrateOptions = { ...migrateOptionsOf(options), to, from };
    return await addOne(
      context,
      await checkMigrate(args[0] ?? io.cwd, migrateOptions, { settings, cwd: io.cwd, env: io.env }),
    );
  });
}

function addWhen(command: Command): Command {
  return command
    .argument("[area]", "the area's path (default: the working directory)")
    .option("--cron <pattern>", 'minute, hour, day of month, month and day of week: "0 2 * * *"')
    .option(
      "--every <duration>",
      "an interval instead of --cron; the first job starts immediately",
      duration("--every"),
    )
    .option("--name <name>", "the schedule's name (default: made from job and area)");
}

function finish(command: Command, help: HelpText): void {
  addSharedOptions(command);
  addHelp(command, help);
}

async function addOne(
  { options, settings }: CommandContext,
  checked: Parameters<typeof addSchedule>[1],
): Promise<Outcome> {
  const { name, cron, tz, every } = options as { name?: string; cron?: string; tz?: string; every?: number };
  const schedule = await withSession(settings, (session) =>
    addSchedule(session, checked, { name, cron, tz, every }),
  );
  const text = `${schedule.name}: ${oftenText(schedule)}, next at ${nextText(schedule)}`;
  return { document: schedule, text, changed: true };
}
