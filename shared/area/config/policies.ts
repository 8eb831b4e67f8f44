import type { ReducePayload, Selectors } from "../../contract/payload.ts";
import { JobsError } from "../../errors.ts";
import { parseDuration } from "../../time/duration.ts";
import { parseWindow, parseZone } from "../../time/time-window.ts";
import type { MegatestConfig } from "./config.ts";
import { type PolicyJob, policySections, purgePrefix } from "./policy-name.ts";

export interface Policy {
  job: PolicyJob;
  name: string;
  request: Omit<Partial<ReducePayload>, "v" | "area" | "requestedBy" | "dryRun" | "runId"> & {
    /** Of a purge, which never runs without an export unless a person confirms it. */
    export?: string;
  };
  /** Minimum time between two such reduces, ms. */
  everyMs: number;
}

export interface Policies {
  policies: Policy[];
  problems: string[];
}

type Member = keyof Policy["request"];
type Read = (text: string, word: string) => string | number | boolean;

const longest = 4096;
const longestName = 200;

const plain: Read = (text, word) => {
  if (text.length <= longest) return text;
  throw wrong(`${word}= is longer than ${longest} characters`);
};

const time: Read = (text, word) => Math.round(parseDuration(text, word));

const whole: Read = (text, word) => {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw wrong(`${word}=${text} is not a whole number`);
};

const some: Read = (text, word) => {
  const value = time(text, word);
  if (Number(value) > 0) return value;
  throw wrong(`${word}=${text} is not longer than zero`);
};

const oneOf =
  (...words: string[]): Read =>
  (text, word) => {
    if (words.includes(text)) return text;
    throw wrong(`${word}=${text} is not one of ${words.join(", ")}`);
  };

/** By name in a line: the member of the job's data, and its reader. */
const words: Record<string, [member: Member, read: Read]> = {
  target: ["target", plain],
  runname: ["runname", plain],
  state: ["state", plain],
  status: ["status", plain],
  age: ["age", time],
  keep: ["keep", whole],
  "include-locked": ["includeLocked", (text, word) => oneOf("yes", "no")(text, word) === "yes"],
  "dead-after": ["deadAfter", time],
  compact: ["compact", oneOf("auto", "always", "never")],
  between: [
    "between",
    (text, word) => {
      parseWindow(text, word);
      return text;
    },
  ],
  "max-time": ["maxTime", some],
  tz: ["tz", parseZone],
};

const exportWord = "export";

/** Further settings of the lines of a section. */
const wordsOf: Record<PolicyJob, typeof words> = {
  reduce: words,
  purge: {
    ...words,
    [exportWord]: [
      "export",
      (text, word) => {
        if (text.startsWith("/")) return plain(text, word);
        throw wrong(`${word}=${text} is not an absolute path`);
      },
    ],
  },
};
/** The members that select runs. A new selector of a job's data does not compile until it is here. */
const selectors: Record<Exclude<keyof Selectors, "runId">, true> = {
  target: true,
  runname: true,
  state: true,
  status: true,
  age: true,
  keep: true,
};
const often = "every";
const defaultEveryMs = 24 * 3_600_000;
const leastEveryMs = 60_000;

/**
 * Reads `[reduce-records]`: lines `name target=%/%/%; runname=%; age=30d; keep=5`; or `[purge-records]`, where
 * `export=` is required. Never throws.
 */
export function readPolicies(
  config: Pick<MegatestConfig, "get" | "names" | "defaultsProblem">,
  job: PolicyJob = "reduce",
): Policies {
  const { defaultsProblem } = config;
  const policySection = policySections[job];
  const found: Policies = {
    policies: [],
    problems: defaultsProblem === undefined || job !== "reduce" ? [] : [defaultsProblem],
  };
  for (const name of config.names(policySection)) {
    // A line that says only this switches the defaults of a root off.
    if (name === "off" && config.get(policySection, name)?.trim() === "") continue;
    try {
      found.policies.push(readPolicy(job, name, config.get(policySection, name) ?? ""));
    } catch (error) {
      if (!(error instanceof JobsError)) throw error;
      const { message, hint } = error;
      const why = message.includes(`[${policySection}] ${name}`)
        ? message
        : `[${policySection}] ${name}: ${message}`;
      found.problems.push(`${why}${hint === undefined ? "" : ` (${hint})`}; this line is ignored`);
    }
  }
  return found;
}

function readPolicy(job: PolicyJob, name: string, text: string): Policy {
  if (name.length > longestName) throw wrong(`its name is longer than ${longestName} characters`);
  if (job === "reduce" && name.startsWith(purgePrefix))
    throw wrong(`its name begins with ${purgePrefix}, like those of [${policySections.purge}] in jobs`);
  const given = settingsOf(text);
  const every = given.get(often);
  const everyMs = every === undefined ? defaultEveryMs : parseDuration(every, often);
  if (everyMs < leastEveryMs) throw wrong(`${often}=${every} is less than a minute`);
  given.delete(often);
  const allowed = wordsOf[job];
  if (![...given.keys()].some((word) => Object.hasOwn(selectors, knownWord(allowed, word)?.[0] ?? ""))) {
    throw new JobsError("bad-config", "no selector", {
      hint: "add age=, keep= or a pattern; runname=% selects every run",
    });
  }
  if (job === "purge" && !given.has(exportWord)) {
    throw new JobsError("bad-config", `no ${exportWord}=`, {
      hint: `add ${exportWord}=DIR: runs are purged without an export only if a person confirms it`,
    });
  }
  const members = [...given].map(([word, value]) => {
    const known = knownWord(allowed, word);
    if (known === undefined)
      throw wrong(
        `unknown setting ${word}=`,
        `the settings are ${[...Object.keys(allowed), often].join(", ")}`,
      );
    return [known[0], known[1](value, word)];
  });
  return { job, name, request: Object.fromEntries(members) as Policy["request"], everyMs };
}

/** Undefined also for a name that every object has, such as `constructor`. */
const knownWord = (allowed: typeof words, word: string) =>
  Object.hasOwn(allowed, word) ? allowed[word] : undefined;

function settingsOf(text: string): Map<string, string> {
  const given = new Map<string, string>();
  for (const entry of text.split(/[;\n]/)) {
    const setting = entry.trim();
    if (setting === "") continue;
    const at = setting.indexOf("=");
    const [word, value] = [setting.slice(0, at).trim(), setting.slice(at + 1).trim()];
    if (at <= 0 || value === "") throw wrong(`"${setting.slice(0, 80)}" is not of the form name=value`);
    if (given.has(word)) throw wrong(`${word}= is given twice`);
    given.set(word, value);
  }
  return given;
}

function wrong(message: string, hint?: string): JobsError {
  return new JobsError("bad-config", message, { hint });
}
