import { JobsError } from "../../shared/errors.ts";

/**
 * Megatest's users write long options with one dash (`-target x -runname y`) and verbs as options
 * (`-reduce-records`, `-restore-records`). This turns such an argument list into the usual spelling before it is parsed.
 */
export interface ArgvSpelling {
  /** Every long option by its name without dashes; true where it takes a value. */
  options: ReadonlyMap<string, boolean>;
  /** Megatest's verb (without its dash) → our command. */
  verbs: ReadonlyMap<string, string>;
  /** Verbs that take a value, as `-list-runs %` does, and the option that it becomes the value of. */
  verbValues?: ReadonlyMap<string, string>;
}

/** `-word`: a letter, then at least one more character. `-h` and `-5` are none. */
const oneDashWord = /^-(?<name>[A-Za-z][A-Za-z0-9-]+)(?<value>=.*)?$/s;

/**
 * Pure. A verb found anywhere among the options becomes the first argument; one-dash words get their second
 * dash, unknown ones too, so that the parser can suggest the right one. The value after an option that takes
 * one, and all that follows `--`, stay as they are.
 *
 * @throws JobsError `usage` where the word after such an option begins with a dash: it is an option, and a value was
 *   forgotten. A value that begins with a dash is joined by `=`.
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
  throw new JobsError("usage", `--${option} needs a value, and ${value} begins with a dash`, {
    hint: `give it a value before ${value}; one that begins with a dash is joined to it: --${option}=${value}`,
  });
}
