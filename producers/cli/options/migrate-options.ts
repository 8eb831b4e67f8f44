import type { Command } from "commander";
import type { MigrateOptions } from "../../jobs/check-migrate.ts";
import { duration } from "./option-values.ts";

export function addMigrateOptions(command: Command): Command {
  return command
    .option(
      "--quiet-for <duration>",
      "how long an area must show no activity to count as quiet (default: 30m)",
      duration("--quiet-for"),
    )
    .option("--when-quiet", "wait until the area is quiet")
    .option(
      "--deadline <duration>",
      "with --when-quiet: give up after this long (default: 12h)",
      duration("--deadline"),
    )
    .option("--stop-servers", "stop Megatest's servers, which would otherwise be a reason to refuse")
    .option("--now", "migrate even if the last migration is less than 10 minutes ago")
    .option("--dry-run", "print what prevents the migration; change nothing");
}

const members = ["quietFor", "whenQuiet", "deadline", "stopServers", "now", "dryRun"] as const;

export function migrateOptionsOf(
  options: Record<string, unknown>,
): Pick<MigrateOptions, (typeof members)[number]> {
  const given = members.filter((member) => options[member] !== undefined);
  return Object.fromEntries(given.map((member) => [member, options[member]]));
}
