import type { Command } from "commander";
import { longestGraceMs } from "../../../shared/contract/defaults.ts";
import type { Bind } from "../command.ts";
import type { CliDeps } from "../io.ts";
import { addMoveCommand } from "../move-command.ts";
import { duration, oneOf } from "../options/option-values.ts";

export function addRestore(program: Command, bind: Bind, deps: CliDeps): void {
  addMoveCommand(program, bind, deps, {
    name: "restore",
    summary: "move runs back from completed-runs.db",
    description:
      "Move runs from completed-runs.db back to the area's databases, where Megatest sees them again. Megatest may be running. Nothing is lost if a process or host dies on the way.",
    selectors: {
      keep: "keep the newest N of each target in completed-runs.db",
      includeLocked: "include runs that their owner locked",
    },
    dryRun: "print what would be restored; change nothing",
    addOptions,
    help: {
      notes: [
        "At least one selector is required; --runname % selects every run. Selectors apply to the runs in completed-runs.db.\nA pattern is LIKE if it contains %, otherwise GLOB; commas separate alternatives. A finished run has\nthe state new and the status n/a unless a user has set them. Durations: 500ms, 90s, 30m, 12h, 30d, 8w.",
        "If a run with the same target and name has been registered since, the run stays in completed-runs.db as\n`conflict`. With --on-conflict rename it is restored as <runname>.restored, and its tests have no\ndirectory: the directories now belong to the other run, and -remove-runs would remove them.\nIf the run's id has been reused since, the run already has a new id in completed-runs.db and is restored\nunder it; the result names both ids.",
        "The next reduce that selects the run moves it to completed-runs.db again.",
      ],
      examples: [
        ["mtjobs restore /areas/a1 --run-id 7 --dry-run --wait", "check whether run 7 can be restored"],
        ["mtjobs restore /areas/a1 --run-id 7 --wait", "restore it, and follow the job"],
        [
          "mtjobs restore --target ubuntu/% --runname w49% --inline",
          "the working directory, without Redis or a worker",
        ],
        ["mtjobs restore --runname w49.1 --on-conflict rename", "beside a new w49.1, as w49.1.restored"],
        ["mtjobs -restore-records -target ubuntu/% -runname w4%", "in Megatest's spelling"],
      ],
    },
  });
}

function addOptions(command: Command): Command {
  return command
    .option(
      "--on-conflict <what>",
      "for a run whose target and name are in use again: refuse or rename (default: refuse)",
      oneOf("--on-conflict", ["refuse", "rename"]),
    )
    .option("--touch", "set last_update of restored rows to now, for tools that poll by it")
    .option(
      "--grace <duration>",
      "how long to keep a restored run in completed-runs.db for readers already using it (default: 10s, at most 1h)",
      duration("--grace", longestGraceMs),
    );
}
