import { JobsError } from "../../../shared/errors.ts";
import { checkMigrate, enqueueMigrate, type MigrateOptions } from "../../jobs/check-migrate.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../command.ts";
import { confirm } from "../confirm.ts";
import { addMigrateOptions, migrateOptionsOf } from "../options/migrate-options.ts";
import { duration } from "../options/option-values.ts";
import type { Outcome } from "../outcome.ts";
import { queued } from "../run-queued.ts";

export const addMigrate: AddCommand = (program, bind) => {
  const command = program
    .command("migrate")
    .summary("make another host the homehost of an area")
    .description(
      "Make a host the homehost of an area that is quiet: its cache is moved there with all data that only the cache holds. The workers of both hosts take part. If a process or host dies on the way, the area still has exactly one homehost, the old or the new one.",
    )
    .argument("[area]", "the area's path (default: the working directory)")
    .option("--to <host>", "the new homehost, by name or address (default: this host)")
    .option("--from <host>", "refuse unless this is the homehost now, by name or address");
  addMigrateOptions(command)
    .option("--takeover", "the homehost is permanently gone: migrate without contacting it")
    .option("--yes", "with --takeover: you have made sure that the homehost is off")
    .option("--wait", "follow the job until it ends and print its result")
    .option(
      "--timeout <duration>",
      "with --wait: stop waiting after this long; the job continues",
      duration("--timeout"),
    );
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "Refused while a test runs or has just run, a Megatest server is alive or a process has the cache open. All reasons\nare listed, with the earliest time at which a migration could succeed. See docs/migration.md.",
    ],
    examples: [
      ["mtjobs migrate /areas/a1 --to hostB --dry-run --wait", "list what prevents it; changes nothing"],
      ["mtjobs migrate /areas/a1 --to hostB --wait", "move it now, or print why not"],
      ["mtjobs migrate /areas/a1 --to hostB --when-quiet", "move it as soon as it is quiet"],
      ["mtjobs migrate /areas/a1 --takeover", "hostA is gone: this host takes over"],
    ],
    exits: {
      0: "done, already at home there, or enqueued",
      1: "it failed or was undone: the homehost is unchanged",
      3: "refused: not quiet, pinned, unfit host, too soon, not confirmed",
      4: "Redis is unreachable, or with --wait the worker is gone",
      5: "--timeout passed; the job continues",
      130: "interrupted while waiting; the job continues",
    },
  });
  bind(command, migrate);
};

async function migrate(context: CommandContext): Promise<Outcome> {
  const { options, settings, io, args } = context;
  if (options.timeout !== undefined && options.wait !== true) {
    throw new JobsError("usage", "--timeout requires --wait", {
      hint: "add --wait, or remove --timeout",
    });
  }
  const { to, from, takeover, yes } = options as MigrateOptions;
  const migrateOptions: MigrateOptions = { ...migrateOptionsOf(options), to, from, takeover, yes };
  const checked = await checkMigrate(args[0] ?? io.cwd, migrateOptions, {
    settings,
    cwd: io.cwd,
    env: io.env,
  });
  const { payload } = checked;
  if (payload.takeover && !payload.confirmed && !payload.dryRun) {
    const question = `${payload.to} takes over ${payload.area}. What its homehost has not synced may be missing,\nand if the homehost is still running, both hosts will write to the area. Is it switched off?`;
    await confirm(io, question, "off", "in a script, pass --yes once the homehost is off");
    payload.confirmed = true;
  }
  return await queued(context, (session) => enqueueMigrate(session, checked), {
    dryRun: payload.dryRun,
  });
}
