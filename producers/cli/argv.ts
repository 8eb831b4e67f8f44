import { JobsError } from "../../shared/errors.ts";

/**
 * What `normaliseArgv` needs to know. Megatest's users write long options with one dash (`-target x -runname y`)
 * and verbs as options (`-reduce-records`, `-restore-records`).
 */
export interface ArgvSpelling {
  /** Every long option by its name without dashes; true if it takes a value. */
  options: ReadonlyMap<string, boolean>;
  /** Megatest's verb (without its dash) → the command of mtjobs. */
  verbs: ReadonlyMap<string, string>;
  /** Verbs that take a value, such as `-list-runs %`, and the option that receives it. */
  verbValues?: ReadonlyMap<string, string>;
}

/** `-word`: a letter, then at least one more character. `-h` and `-5` do not match. */
const oneDashWord = /^-(?<name>[A-Za-z][A-Za-z0-9-]+)(?<value>=.*)?$/s;

export const isOneDashWord = (word: string) => oneDashWord.test(word);

/**
 * Converts Megatest's spelling to the usual one. A verb among the options becomes the first argument. One-dash
 * words get a second dash, unknown ones too, so that the parser can suggest the right one. Option values and
 * everything after `--` stay unchanged.
 *
 * @throws {JobsError} `usage` if a value begins with a dash: the value was probably forgotten. Such a value must be
 *   joined by `=`.
 */
export function normaliseArgv(
  args: readonly string[],
  { options, verbs, verbValues }: ArgvSpelling,
): string[] {
  const out: string[] = [];
  let command: string | undefined;
  let rest = 0;
  for (; rest < args.length; rest++) {
    const word = args[rest] as string;
    if (word === "--") break;
    const { name = "", value = "" } = oneDashWord.exec(word)?.groups ?? {};
    const verb = value === "" ? verbs.get(name || word.replace(/^--/, "")) : undefined;
    if (verb !== undefined && word.startsWith("-")) {
      if (command === undefined) command = verb;
      const option = verbValues?.get(name || word.replace(/^--/, ""));
      const next = args[rest + 1];
      if (option !== undefined && next !== undefined && !next.startsWith("-")) {
        out.push(`--${option}`, next);
        rest++;
      }
      continue;
    }
    const long = name === "" && word.startsWith("--") ? word.slice(2) : name;
    // Megatest's way to ask for JSON.
    if (long === "dumpmode" && args[rest + 1] === "json") {
      out.push("--json");
      rest++;
      continue;
    }
    out.push(name === "" ? word : `--${name}${value}`);
    if (value === "" && options.get(long) === true && rest + 1 < args.length)
      out.push(checkedValue(long, args[++rest] as string));
  }
  const tail = args.slice(rest);
  return command === undefined ? [...out, ...tail] : [command, ...out, ...tail];
}

function checkedValue(option: string, value: string): string {
  if (!value.startsWith("-")) return value;
  throw new JobsError("usage", `--${option} needs a value, but ${value} begins with a dash`, {
    hint: `add a value before ${value}; join a value that begins with a dash with "=": --${option}=${value}`,
  });
}
