import { JobsError } from "../../../shared/errors.ts";
import { checkMigrate, enqueueMigrate, type MigrateOptions } from "../../migrate-request.ts";
import { type AddCommand, addSharedOptions, type CommandContext, teach } from "../command.ts";
import { confirm } from "../confirm.ts";
import { queued } from "../job-queued.ts";
import { addMigrateOptions, migrateOptionsOf } from "../migrate-options.ts";
import { duration } from "../option-values.ts";
import type { Outcome } from "../outcome.ts";

/** `mtjobs migrate [AREA] [--to HOST] …` */
export const addMigrate: AddCommand = (program, bind) => {
  const command = program
    .command("migrate")
    .summary("make another host the homehost of an area")
    .description(
      "Make a host the homehost of an area that is quiet: its cache goes there with all that only the cache holds. The workers of both hosts do it; whatever dies on the way, the area has one home, the old one or the new one.",
    )
    .argument("[area]", "the area's path; the working directory if left out")
    .option("--to <host>", "the new homehost, by name or address (default: this host)")
    .option("--from <host>", "refuse unless this is the homehost now, by name or address");
  addMigrateOptions(command)
    .option("--takeover", "the homehost is gone for good: do it without asking it anything")
    .option("--yes", "with --takeover: you have made sure that the homehost is off")
    .option("--wait", "follow the job to its end and print its result")
    .option(
      "--timeout <duration>",
      "with --wait: give up waiting after this long; the job goes on",
      duration("--timeout"),
    );
  addSharedOptions(command);
  teach(command, {
    notes: [
      "Refused while a test runs or has just run, a Megatest server is alive or a process has the cache open: all reasons\nare listed, with the time at which it could succeed if nothing else happens. docs/migration.md says more.",
    ],
    examples: [
      ["mtjobs migrate /areas/a1 --to hostB --dry-run --wait", "what speaks against it; changes nothing"],
      ["mtjobs migrate /areas/a1 --to hostB --wait", "move it now, or say why not"],
      ["mtjobs migrate /areas/a1 --to hostB --when-quiet", "move it as soon as nothing runs there"],
      ["mtjobs migrate /areas/a1 --takeover", "hostA burned down: this host takes over"],
    ],
    exits: {
      0: "done, at home there already, or enqueued",
      1: "it failed, or was undone: the old homehost is the homehost",
      3: "refused: not quiet, pinned, an unfit host, too soon, not confirmed",
      4: "Redis is out of reach, or with --wait the worker has gone",
      5: "--timeout passed; the job goes on",
      130: "interrupted while waiting; the job goes on",
    },
  });
  bind(command, migrate);
};

async function migrate(context: CommandContext): Promise<Outcome> {
  const { options, settings, io, args } = context;
  if (options.timeout !== undefined && options.wait !== true) {
    throw new JobsError("usage", "--timeout goes with --wait", {
      hint: "add --wait, or leave --timeout out",
    });
  }
  const { to, from, takeover, yes } = options as MigrateOptions;
  const asked: MigrateOptions = {
    ...migrateOptionsOf(options),
    ...(to === undefined ? {} : { to }),
    ...(from === undefined ? {} : { from }),
    ...(takeover === true ? { takeover } : {}),
    ...(yes === true ? { yes } : {}),
  };
  const checked = await checkMigrate(args[0] ?? io.cwd, asked, { settings, cwd: io.cwd, env: io.env });
  const { payload } = checked;
  if (payload.takeover && !payload.confirmed && !payload.dryRun) {
    const question = `${payload.area} is taken over by ${payload.to}. What its homehost has not synced may be missing,\nand if the homehost still works, both go on for themselves. Is it switched off?`;
    await confirm(io, question, "off", "in a script say --yes, once the homehost is off");
    payload.confirmed = true;
  }
  return await queued(context, (session) => enqueueMigrate(session, checked), {
    dryRun: payload.dryRun,
  });
}
