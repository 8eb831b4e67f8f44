import type { Command } from "commander";
import { parseDuration } from "../../shared/duration.ts";
import { JobsError } from "../../shared/errors.ts";
import type { ReduceRequest } from "../reduce-request.ts";

/** Reads an option's value as a duration, to milliseconds. */
export function duration(option: string): (text: string) => number {
  return (text) => parseDuration(text, option);
}

function wholeNumber(option: string, least: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= least) return value;
    throw new JobsError("usage", `${option}: "${text}" is not a whole number of at least ${least}`);
  };
}

/** An empty pattern, as an unset shell variable leaves it, must not pass for "all" nor end as a riddle. */
function pattern(option: string): (text: string) => string {
  return (text) => {
    if (text !== "") return text;
    throw new JobsError("usage", `${option}: the pattern is empty`, {
      hint: `leave ${option} out, or write % for all`,
    });
  };
}

function runIds(text: string): number[] {
  return text.split(",").map(wholeNumber("--run-id", 1));
}

/** Adds the options that choose runs; several together narrow the choice. */
export function addSelectors(command: Command): Command {
  return command
    .optionsGroup("Which runs (all that are given must hold):")
    .option("--target <pattern>", "key values joined by /, such as ubuntu/nfs/%", pattern("--target"))
    .option("--runname <pattern>", "the run's name", pattern("--runname"))
    .option("--state <list>", "the run's state", pattern("--state"))
    .option("--status <list>", "the run's status", pattern("--status"))
    .option("--age <duration>", "the last activity is older than this", duration("--age"))
    .option("--keep <n>", "leave the newest N of each target", wholeNumber("--keep", 0))
    .option("--run-id <list>", "ids, comma-separated", runIds)
    .option("--include-locked", "runs that their owner locked, too")
    .option(
      "--dead-after <duration>",
      "an unfinished test without activity for longer is dead",
      duration("--dead-after"),
    )
    .optionsGroup("What to do:");
}

type Selection = Omit<ReduceRequest, "area" | "dryRun" | "compact">;

const names = [
  "target",
  "runname",
  "state",
  "status",
  "age",
  "keep",
  "runId",
  "includeLocked",
  "deadAfter",
] as const;

/** What `addSelectors` read, members that were not given left out. */
export function selectorsOf(options: Record<string, unknown>): Selection {
  return Object.fromEntries(
    names.filter((name) => options[name] !== undefined).map((name) => [name, options[name]]),
  );
}
