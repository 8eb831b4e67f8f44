import { ExitCode } from "../../../../shared/error-codes.ts";
import { forecastText } from "../../../format/forecast.ts";
import { type AddCommand, addHelp, addSharedOptions, type CommandContext } from "../../command.ts";
import { addRowSelectors } from "../../options/selectors.ts";
import type { Outcome } from "../../outcome.ts";

const selectorTexts = {
  keep: "keep the newest N of each target in place",
  includeLocked: "include runs that their owner locked",
};
const selectors = ["target", "runname", "state", "status", "age", "keep", "includeLocked"] as const;

export const addForecast: AddCommand = (program, bind) => {
  const command = program
    .command("forecast")
    .summary("estimate what a reduce would free in each area; moves nothing")
    .description(
      "Estimate for each area what a reduce would move and free, and how fast it grows, from megatest.db alone. Read-only. Without selectors: by the area's [reduce-records], or runs older than 30 days. A reduce --dry-run of one area is exact.",
    )
    .argument("[areas...]", "paths, or patterns such as 'chips/*' below --areas (default: all areas there)");
  addRowSelectors(command, selectorTexts, "begun longer ago than this");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["mtjobs forecast", "all areas below --areas, the largest gain first"],
      ["mtjobs forecast --age 90d --keep 5", "for these selectors"],
      ["mtjobs forecast 'chips/*' /areas/a1 --json", "some areas, for programs"],
    ],
    exits: { 1: "an area or a directory could not be read" },
  });
  bind(command, forecast);
};

async function forecast({ args, options, settings, io }: CommandContext): Promise<Outcome> {
  const { chooseAreas } = await import("../../../areas/choose-areas.ts");
  const { forecastAreas } = await import("../../../areas/forecast.ts");
  const chosen = chooseAreas(
    args.filter((each) => each !== undefined),
    { settings, cwd: io.cwd, env: io.env },
  );
  const given = selectors.filter((name) => options[name] !== undefined);
  const request =
    given.length === 0 ? undefined : Object.fromEntries(given.map((name) => [name, options[name]]));
  const document = forecastAreas(chosen, request, { settings, env: io.env });
  const isComplete =
    document.warnings.length === 0 && document.areas.every(({ problem }) => problem === null);
  return { document, text: forecastText(document), exit: isComplete ? ExitCode.done : ExitCode.failed };
}
