import type { Command } from "commander";
import { longestGraceMs } from "../../../shared/queue/grace.ts";
import type { Bind } from "../command.ts";
import type { CliDeps } from "../deps.ts";
import { addMoveCommand } from "../move-command.ts";
import { duration, oneOf } from "../option-values.ts";

/** `mtjobs restore AREA [selectors] [--dry-run] [--on-conflict …] [--touch] [--grace …] [--compact …] [--inline]` */
export function addRestore(program: Command, bind: Bind, deps: CliDeps): void {
  addMoveCommand(program, bind, deps, {
    name: "restore",
    summary: "move runs back from completed-runs.db",
    description:
      "Move runs from completed-runs.db back to the area's databases, where Megatest sees them again. Nothing is lost, whatever dies on the way; Megatest may work on the area meanwhile.",
    selectors: {
      keep: "leave the newest N of each target in completed-runs.db",
      includeLocked: "runs that their owner locked, too",
    },
    dryRun: "say what would come back and change nothing",
    addOptions,
    lesson: {
      notes: [
        "A selector must be given: --runname % means every run. They choose among the runs in completed-runs.db. In a\npattern % means LIKE, without one it is a GLOB; commas separate alternatives. A finished run has the\nstate new and the status n/a unless somebody set them. Durations: 500ms, 90s, 30m, 12h, 30d, 8w.",
        "Where a run of the same target and name was registered meanwhile, the one in completed-runs.db stays there, as\n`conflict`; with --on-conflict rename it comes back as <runname>.restored, and its\ntests name no directory any more: those they had are the other run's, and -remove-runs would remove them.\nA run whose id was given to another meanwhile has a new id in completed-runs.db already and comes back under it;\nthe result names both.",
        "The next reduce that a run matches moves it to completed-runs.db again.",
      ],
      examples: [
        ["mtjobs restore /areas/a1 --run-id 7 --dry-run --wait", "whether run 7 can come back"],
        ["mtjobs restore /areas/a1 --run-id 7 --wait", "bring it back, and watch"],
        ["mtjobs restore --target ubuntu/% --runname w49% --inline", "here, without Redis and worker"],
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
      "a run whose target and name are in use again: refuse or rename (default: refuse)",
      oneOf("--on-conflict", ["refuse", "rename"]),
    )
    .option("--touch", "set last_update of what comes back to now, for tools that poll by it")
    .option(
      "--grace <duration>",
      "how long completed-runs.db keeps a run that is back, for those who read it just now (default: 10s, at most 1h)",
      duration("--grace", longestGraceMs),
    );
}
