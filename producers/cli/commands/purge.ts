import { resolve } from "node:path";
import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { areaPath } from "../../areas/area-path.ts";
import { isPattern } from "../../areas/choose-areas.ts";
import { type DirectoriesRequest, listDirectories } from "../../areas/list-directories.ts";
import { directoriesText } from "../../format/directories.ts";
import type { Bind, CommandContext } from "../command.ts";
import { confirm } from "../confirm.ts";
import type { CliDeps } from "../io.ts";
import { addMoveCommand } from "../move-command.ts";
import type { Outcome } from "../outcome.ts";

export function addPurge(program: Command, bind: Bind, deps: CliDeps): void {
  addMoveCommand(program, bind, deps, {
    name: "purge",
    summary: "remove moved runs for good, after exporting them",
    description:
      "Remove runs from completed-runs.db for good. Each run is first written to a database of its own in --export DIR, which is read back and compared; mtjobs import puts it back. Nothing is removed from megatest.db, and no directory of a run is touched.",
    selectors: {
      keep: "keep the newest N of each target in completed-runs.db",
      includeLocked: "include runs that their owner locked",
    },
    dryRun: "print what would be purged; change nothing",
    addOptions,
    confirm: askForExports,
    instead: listDirs,
    help: {
      notes: [
        "At least one selector is required, and --export or --no-export. Selectors apply to the runs in completed-runs.db.\nA pattern is LIKE if it contains %, otherwise GLOB; commas separate alternatives. Durations: 500ms, 90s,\n30m, 12h, 30d, 8w, 2y.",
      ],
      examples: [
        [
          "mtjobs purge /areas/a1 --age 2y --export /archive --dry-run --wait",
          "what is older than two years",
        ],
        ["mtjobs purge /areas/a1 --age 2y --export /archive --wait", "export and remove it"],
        ["mtjobs purge /areas/a1 --list-dirs --runname %", "directories that runs left on disk"],
        ["mtjobs import /archive/run-7-ubuntu_nfs_none-w49.1-1a2b3c4d.db /areas/a1", "put one back"],
      ],
    },
  });
}

function addOptions(command: Command): Command {
  // Both set one value, of which the parser keeps the last.
  for (const name of ["export", "no-export"])
    command.on(`option:${name}`, () => command.setOptionValue(`was:${name}`, true));
  return command
    .option("--export <dir>", "existing directory for the exports, as the area's homehost mounts it")
    .option("--no-export", "purge without an export; asks for a confirmation")
    .option("--yes", "with --no-export: a person has confirmed it")
    .option(
      "--list-dirs",
      "list the directories of moved and purged runs instead; by --target, --runname, --run-id and --age",
    );
}

async function listDirs({ options, args, settings, io }: CommandContext): Promise<Outcome | undefined> {
  if (options.listDirs !== true) return undefined;
  assertListable(options, args[0], io.cwd);
  const { target, runname, runId, age } = options as DirectoriesRequest;
  const [area = io.cwd] = args;
  const list = await listDirectories(
    areaPath(io.cwd, area),
    { target, runname, runId, age },
    { settings, env: io.env },
  );
  return { document: list, text: directoriesText(list) };
}

/** Refuses what would list other directories than were asked for. */
function assertListable(options: CommandContext["options"], area: string | undefined, cwd: string): void {
  const others = { all: "--all", keep: "--keep", state: "--state", status: "--status" };
  const given = Object.entries(others).find(([member]) => options[member] !== undefined);
  const what = given?.[1] ?? (area !== undefined && isPattern(area, cwd) ? "a pattern for areas" : undefined);
  if (what === undefined) return;
  throw new JobsError("usage", `--list-dirs does not take ${what}`, {
    hint: "name one area; choose runs by --target, --runname, --run-id and --age",
  });
}

/** Returns the directory for exports, or the confirmation that none are wanted. */
async function askForExports({ options, io }: CommandContext): Promise<object> {
  const { export: directory, yes, dryRun } = options;
  if (options["was:export"] === true && options["was:no-export"] === true) {
    throw new JobsError("usage", "--export and --no-export are both given", { hint: "remove one of them" });
  }
  if (directory === "") {
    throw new JobsError("usage", "--export is empty", {
      hint: "name an existing directory, such as /archive",
    });
  }
  if (typeof directory === "string") return { export: resolve(io.cwd, directory) };
  if (directory === undefined) {
    throw new JobsError("usage", "neither --export nor --no-export is given", {
      hint: "name an existing directory for the exports: --export DIR",
    });
  }
  if (dryRun === true) return {};
  if (yes !== true) {
    await confirm(
      io,
      "Purged runs that are not exported cannot be brought back by anything but a backup.",
      "purge",
      "in a script, pass --yes",
    );
  }
  return { confirmed: true };
}
