import type { Command } from "commander";
import { parseWindow, parseZone } from "../../shared/time-window.ts";
import { oneOf, someTime } from "./option-values.ts";

/** Adds `--compact` and the options that limit when and how long a job works. @param tz help text of `--tz` */
export function addWorkOptions(command: Command, tz: string): Command {
  return command
    .option(
      "--compact <when>",
      "vacuum afterwards: auto, always or never (default: auto)",
      oneOf("--compact", ["auto", "always", "never"]),
    )
    .option("--between <times>", "work only in this part of the day, such as 22:00-06:00", (text) => {
      parseWindow(text, "--between");
      return text;
    })
    .option(
      "--max-time <duration>",
      "start nothing new after this long; the next job continues",
      someTime("--max-time"),
    )
    .option("--tz <zone>", tz, (text) => parseZone(text, "--tz"));
}
