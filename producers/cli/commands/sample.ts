import type { Command } from "commander";
import { environmentName } from "../../../shared/settings/settings.ts";
import { areaPath } from "../../areas/area-path.ts";
import { addHelp, addSharedOptions, type Bind, type CommandContext } from "../command.ts";

export function addSample(program: Command, bind: Bind): void {
  const command = program
    .command("sample")
    .summary("make sample areas to try mtjobs on")
    .description(
      "Make three areas with runs of several ages below DIR, at home on this host: nightly with an automatic policy, release with old runs, fresh with none. Their caches are in the cache root, as Megatest has them. Needs no Redis; takes seconds.",
    )
    .argument("<dir>", "a directory that is empty or does not exist");
  addSharedOptions(command);
  addHelp(command, {
    notes: [
      "It prints which commands to try, and how to remove everything. A worker that serves DIR reduces nightly.",
    ],
    examples: [
      ["mtjobs sample ~/samples", "then, for example: mtjobs status ~/samples/release"],
      ["mtjobs sample /areas/samples --json", '{ "directory", "host", "areas" }, for programs'],
    ],
    exits: {
      1: "a file cannot be written",
      2: "bad usage; DIR is not empty, or a cache of an area in it exists",
      3: "DIR is outside --areas, or another user owns a directory of the caches",
      130: "interrupted; everything made has been removed",
    },
  });
  bind(command, async (context) => {
    const { makeSamples } = await import("../../demo/make-samples.ts");
    const { samplesText } = await import("../../demo/samples-text.ts");
    const { io, settings, args } = context;
    const directory = areaPath(io.cwd, args[0] ?? "");
    const report = await makeSamples({ directory, settings, signal: io.interrupt });
    const text = samplesText(report, {
      command: io.env.npm_command === undefined ? "mtjobs" : "npx mtjobs",
      environment: givenSettings(context),
      hasRoots: settings.areas.length > 0,
    });
    return { document: report, text, changed: true };
  });
}

/** Returns what was given as flags and later commands need too, as variables. */
function givenSettings({ options, settings }: CommandContext): Record<string, string> {
  const given = (["host", "cacheRoot"] as const).filter((name) => options[name] !== undefined);
  return Object.fromEntries(given.map((name) => [environmentName(name), settings[name]]));
}
