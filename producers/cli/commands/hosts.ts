import { ExitCode } from "../../../shared/error-codes.ts";
import { JobsError } from "../../../shared/errors.ts";
import { plural } from "../../../shared/text.ts";
import type { DrainResult } from "../../contract/schedule.ts";
import { drainHost, undrainHost } from "../../fleet/drain.ts";
import { type Forgotten, forgetHost } from "../../fleet/forget-host.ts";
import { drainText } from "../../format/drain.ts";
import { withSession } from "../../jobs/session.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../command.ts";
import { addMigrateOptions, migrateOptionsOf } from "../options/migrate-options.ts";
import type { Outcome } from "../outcome.ts";
import { progressDisplay } from "../progress-bar.ts";

export const addDrain: AddCommand = (program, bind) => {
  const command = program
    .command("drain")
    .summary("migrate every area away from HOST, and give it no new one")
    .description(
      "Give HOST no new areas, and migrate each area below --areas whose homehost it is, distributed over the other hosts. A refused area is listed and does not stop the others. Waits for all of them unless --when-quiet is given.",
    )
    .argument("<host>", "the host to empty, by name or address")
    .option("--to <hosts>", "comma-separated target hosts (default: all that have a worker)", names);
  addMigrateOptions(command).option("--wait", "with --when-quiet: wait for all migrations anyway");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs drain hostA --dry-run", "which areas could move now, and where to; changes nothing"],
      ["mtjobs drain hostA --when-quiet", "move each area as soon as it is quiet"],
      ["mtjobs drain hostA --to hostB,hostC --stop-servers", "now, to these two hosts"],
      ["mtjobs undrain hostA", "let it take areas again"],
    ],
    exits: {
      0: "all areas moved or are enqueued, or there were none",
      1: "some areas stay because something failed",
      3: "some areas stay because they were refused, or no host can take them",
      4: "Redis is unreachable",
      130: "interrupted while waiting; the jobs continue",
    },
  });
  bind(command, drain);
};

export const addUndrain: AddCommand = (program, bind) => {
  const command = program
    .command("undrain")
    .summary("let a drained host take areas again")
    .description(
      "Let a drained host take areas again. No area returns automatically unless its policy says so.",
    )
    .argument("<host>", "by name or address");
  addSharedOptions(command);
  addHelp(command, {
    examples: [["mtjobs undrain hostA", "hostA takes areas again"]],
    exits: { 4: "Redis is unreachable" },
  });
  bind(command, async ({ settings, args }) => {
    const undrained = await withSession(settings, (session) => undrainHost(session, args[0] as string));
    const text = `${undrained.host} ${undrained.was ? "takes areas again" : "was not drained"}`;
    return { document: undrained, text, changed: true };
  });
};

export const addHost: AddCommand = (program, bind) => {
  const parent = program.command("host").summary("remove what Redis holds of a host that is gone: forget");
  const command = parent
    .command("forget")
    .summary("remove a host that is gone from status, drain and the choice of hosts")
    .description(
      "Remove what Redis holds of a host: its worker's record, its mark as drained, and its queue if no job waits there. Refused while its worker is alive. A worker of that name comes back as a new host.",
    )
    .argument("<host>", "its name, as mtjobs status shows it");
  addSharedOptions(command);
  addHelp(command, {
    examples: [["mtjobs host forget hostA", "hostA was scrapped"]],
    exits: { 2: "there is no such host", 3: "its worker is alive", 4: "Redis is unreachable" },
  });
  bind(command, async ({ settings, args }) => {
    const forgotten = await withSession(settings, (session) => forgetHost(session, args[0] as string));
    return { document: forgotten, text: forgottenText(forgotten), changed: true };
  });
};

function names(text: string): string[] {
  const hosts = text.split(",").map((name) => name.trim());
  if (hosts.every((name) => name !== "")) return hosts;
  throw new JobsError("usage", `--to: "${text}" is not a comma-separated list of hosts`);
}

function forgottenText({ host, removed, left: { schedules = 0, ...jobs } }: Forgotten): string {
  const counts = [
    ...Object.entries(jobs).map(([state, count]) => `${count} ${state}`),
    ...(schedules > 0 ? [plural(schedules, "schedule")] : []),
  ];
  const gone = removed.length === 0 ? "removed nothing" : `removed ${removed.join(", ")}`;
  if (counts.length === 0) return `${host}: ${gone}`;
  const remedies = [
    ...(Object.keys(jobs).length > 0 ? [`mtjobs jobs --host ${host}; mtjobs cancel ID`] : []),
    ...(schedules > 0 ? ["mtjobs schedule list; mtjobs schedule remove NAME"] : []),
  ];
  return `${host}: ${gone}; its queue stays, for it holds ${counts.join(", ")} (${remedies.join("; ")})`;
}

async function drain({ io, settings, options, args, json }: CommandContext): Promise<Outcome> {
  const display = await progressDisplay(io, json);
  const drainOptions = {
    ...migrateOptionsOf(options),
    to: options.to as string[] | undefined,
    wait: options.wait === true,
  };
  const hooks = { cwd: io.cwd, env: io.env, signal: io.interrupt, onNote: display.note };
  const { error, ...result } = await withSession(settings, (session) =>
    drainHost(session, args[0] as string, drainOptions, hooks),
  );
  const changed = options.dryRun === true ? {} : ({ changed: true } as const);
  const outcome = { document: result, text: drainText(result), ...changed };
  return error === undefined
    ? { ...outcome, exit: exitOf(result) }
    : { ...outcome, error: JobsError.fromDocument(error) };
}

/** Returns `refused` only if every area was refused; one failure makes it `failed`. */
function exitOf({ stayed }: DrainResult): number {
  const exits = stayed.map(({ code }) => new JobsError(code, "").exitCode);
  if (exits.length === 0) return ExitCode.done;
  return exits.every((exit) => exit === ExitCode.refused) ? ExitCode.refused : ExitCode.failed;
}
