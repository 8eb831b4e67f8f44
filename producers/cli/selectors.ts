import type { Command } from "commander";
import { JobsError } from "../../shared/errors.ts";
import { isIdText, type RunId, shownId } from "../../shared/run-id.ts";
import { duration, pattern, wholeNumber } from "./option-values.ts";

/** What the selectors mean that choose otherwise from one database than from another. */
export interface SelectorTexts {
  keep: string;
  includeLocked: string;
}

/** Reads the value of `--run-id`. */
export function runIds(text: string): RunId[] {
  return text.split(",").map((id) => {
    if (isIdText(id.trim())) return shownId(BigInt(id));
    throw new JobsError("usage", `--run-id: "${id}" is not the id of a run`, {
      hint: "ids are whole numbers from -2^63 to 2^63 - 1, with commas between",
    });
  });
}

/** Adds the options that choose runs; several together narrow the choice. */
export function addSelectors(command: Command, texts: SelectorTexts): Command {
  return command
    .optionsGroup("Which runs (all that are given must hold):")
    .option("--target <pattern>", "key values joined by /, such as ubuntu/nfs/%", pattern("--target"))
    .option("--runname <pattern>", "the run's name", pattern("--runname"))
    .option("--state <list>", "the run's state", pattern("--state"))
    .option("--status <list>", "the run's status", pattern("--status"))
    .option("--age <duration>", "the last activity is older than this", duration("--age"))
    .option("--keep <n>", texts.keep, wholeNumber("--keep", 0))
    .option("--run-id <list>", "ids, comma-separated", runIds)
    .option("--include-locked", texts.includeLocked)
    .option(
      "--dead-after <duration>",
      "an unfinished test without activity for longer is dead",
      duration("--dead-after"),
    )
    .optionsGroup("What to do:");
}
