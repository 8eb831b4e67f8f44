import { ExitCode, JobsError } from "../../../shared/errors.ts";
import { drainHost, undrainHost } from "../../drain.ts";
import type { DrainResult } from "../../drain-areas.ts";
import { withSession } from "../../session.ts";
import { drainText } from "../../text/drain-text.ts";
import { type AddCommand, addSharedOptions, type CommandContext, teach } from "../command.ts";
import { addMigrateOptions, migrateOptionsOf } from "../migrate-options.ts";
import type { Outcome } from "../outcome.ts";
import { progressDisplay } from "../progress-bar.ts";

/** `mtjobs drain HOST` */
export const addDrain: AddCommand = (program, bind) => {
  const command = program
    .command("drain")
    .summary("migrate every area whose homehost is HOST, and give it no new one")
    .description(
      "Give HOST no new area, and migrate each area below --areas that is at home on it, spread over the other hosts. What is refused is listed and stops no other. It waits for them all, or with --when-quiet leaves them to the night.",
    )
    .argument("<host>", "the host to be emptied, by name or address")
    .option(
      "--to <hosts>",
      "comma-separated hosts that take the areas (default: all that have a worker)",
      names,
    );
  addMigrateOptions(command).option("--wait", "with --when-quiet: wait for them all the same");
  addSharedOptions(command);
  teach(command, {
    examples: [
      ["mtjobs drain hostA --dry-run", "what could move now, and where to; changes nothing"],
      ["mtjobs drain hostA --when-quiet", "each area moves as soon as it is quiet"],
      ["mtjobs drain hostA --to hostB,hostC --stop-servers", "now, to these two"],
      ["mtjobs undrain hostA", "it takes areas again"],
    ],
    exits: {
      0: "all moved, or are enqueued; or there was none",
      1: "some areas stay as something failed",
      3: "some areas stay as they were refused, or no host can take them",
      4: "Redis is out of reach",
      130: "interrupted while waiting; the jobs go on",
    },
  });
  bind(command, drain);
};

/** `mtjobs undrain HOST` */
export const addUndrain: AddCommand = (program, bind) => {
  const command = program
    .command("undrain")
    .summary("let a drained host take areas again")
    .description("Let a drained host take areas again. None comes back by itself, unless its policy says so.")
    .argument("<host>", "by name or address");
  addSharedOptions(command);
  teach(command, {
    examples: [["mtjobs undrain hostA", "hostA takes areas again"]],
    exits: { 4: "Redis is out of reach" },
  });
  bind(command, async ({ settings, args }) => {
    const undrained = await withSession(settings, (session) => undrainHost(session, args[0] as string));
    const text = `${undrained.host} ${undrained.was ? "takes areas again" : "was not drained"}`;
    return { document: undrained, text, changed: true };
  });
};

function names(text: string): string[] {
  const hosts = text.split(",").map((name) => name.trim());
  if (hosts.every((name) => name !== "")) return hosts;
  throw new JobsError("usage", `--to: "${text}" is no comma-separated list of hosts`);
}

async function drain({ io, settings, options, args, json }: CommandContext): Promise<Outcome> {
  const display = await progressDisplay(io, json);
  const asked = {
    ...migrateOptionsOf(options),
    ...(options.to === undefined ? {} : { to: options.to as string[] }),
    ...(options.wait === true ? { wait: true } : {}),
  };
  const hooks = { cwd: io.cwd, env: io.env, signal: io.interrupt, onNote: display.note };
  const { error, ...result } = await withSession(settings, (session) =>
    drainHost(session, args[0] as string, asked, hooks),
  );
  const changed = options.dryRun === true ? {} : ({ changed: true } as const);
  const outcome = { document: result, text: drainText(result), ...changed };
  return error === undefined
    ? { ...outcome, exit: exitOf(result) }
    : { ...outcome, error: JobsError.fromDocument(error) };
}

/** A refusal is milder than a failure. */
function exitOf({ stayed }: DrainResult): number {
  const exits = stayed.map(({ code }) => new JobsError(code, "").exitCode);
  if (exits.length === 0) return ExitCode.done;
  return exits.every((exit) => exit === ExitCode.refused) ? ExitCode.refused : ExitCode.failed;
}
