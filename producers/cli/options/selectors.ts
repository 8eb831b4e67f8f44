import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { isIdText, type RunId, shownId } from "../../../shared/sqlite/run-id.ts";
import { parseWindow, parseZone } from "../../../shared/time/time-window.ts";
import { duration, oneOf, pattern, someTime, wholeNumber } from "./option-values.ts";

/** Help texts of the selectors that differ between reduce and restore. */
export interface SelectorTexts {
  keep: string;
  includeLocked: string;
}

export function runIds(text: string): RunId[] {
  return text.split(",").map((id) => {
    if (isIdText(id.trim())) return shownId(BigInt(id));
    throw new JobsError("usage", `--run-id: "${id}" is not a run id`, {
      hint: "ids are whole numbers from -2^63 to 2^63 - 1, separated by commas",
    });
  });
}

/** Adds the selectors that a run's own row answers; together they narrow the selection. @param age help text of `--age` */
export function addRowSelectors(
  command: Command,
  { keep, includeLocked }: SelectorTexts,
  age: string,
): Command {
  return command
    .optionsGroup("Selectors (a run must match all that are given):")
    .option("--target <pattern>", "key values joined by /, such as ubuntu/nfs/%", pattern("--target"))
    .option("--runname <pattern>", "the run's name", pattern("--runname"))
    .option("--state <list>", "the run's state", pattern("--state"))
    .option("--status <list>", "the run's status", pattern("--status"))
    .option("--age <duration>", age, duration("--age"))
    .option("--keep <n>", keep, wholeNumber("--keep", 0))
    .option("--include-locked", includeLocked);
}

/** Adds the options that select runs of a job. */
export function addSelectors(command: Command, texts: SelectorTexts): Command {
  return addRowSelectors(command, texts, "no activity for longer than this")
    .option("--run-id <list>", "ids, comma-separated", runIds)
    .option(
      "--dead-after <duration>",
      "treat an unfinished test without activity for longer than this as dead",
      duration("--dead-after"),
    )
    .optionsGroup("Actions:");
}

export function addCompact(command: Command): Command {
  return command.option(
    "--compact <when>",
    "vacuum afterwards: auto, always or never (default: auto)",
    oneOf("--compact", ["auto", "always", "never"]),
  );
}

/** Adds the options that limit when and how long a job works. @param tz help text of `--tz` */
export function addWorkOptions(
  command: Command,
  tz = "time zone of --between (default: that of the host that does the job)",
): Command {
  return command
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
