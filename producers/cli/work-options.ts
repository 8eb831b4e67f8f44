import type { Command } from "commander";
import { parseWindow, parseZone } from "../../shared/time-window.ts";
import { oneOf, someTime } from "./option-values.ts";

/** Adds `--compact`, and when and for how long a job works. @param tz what `--tz` is for */
export function addWorkOptions(command: Command, tz: string): Command {
  return command
    .option(
      "--compact <when>",
      "vacuum afterwards: auto, always or never (default: auto)",
      oneOf("--compact", ["auto", "always", "never"]),
    )
    .option("--between <times>", "work in this part of the day only, as 22:00-06:00", (text) => {
      parseWindow(text, "--between");
      return text;
    })
    .option(
      "--max-time <duration>",
      "begin nothing more after this long; the next job goes on",
      someTime("--max-time"),
    )
    .option("--tz <zone>", tz, (text) => parseZone(text, "--tz"));
}
