import type { Command } from "commander";
import type { MigrateOptions } from "../migrate-request.ts";
import { duration } from "./option-values.ts";

/** Adds what a migration takes, of one area or of all of a host. */
export function addMigrateOptions(command: Command): Command {
  return command
    .option(
      "--quiet-for <duration>",
      "no sign of life for this long makes an area quiet (default: 30m)",
      duration("--quiet-for"),
    )
    .option("--when-quiet", "wait until it is quiet")
    .option(
      "--deadline <duration>",
      "with --when-quiet: give up after this long (default: 12h)",
      duration("--deadline"),
    )
    .option("--stop-servers", "end Megatest's servers, which would be a reason to refuse")
    .option("--now", "also where it was migrated less than 10 minutes ago")
    .option("--dry-run", "only say what speaks against it");
}

const members = ["quietFor", "whenQuiet", "deadline", "stopServers", "now", "dryRun"] as const;

/** The options that `addMigrateOptions` adds, as far as they were given. */
export function migrateOptionsOf(
  options: Record<string, unknown>,
): Pick<MigrateOptions, (typeof members)[number]> {
  const given = members.filter((member) => options[member] !== undefined);
  return Object.fromEntries(given.map((member) => [member, options[member]]));
}
