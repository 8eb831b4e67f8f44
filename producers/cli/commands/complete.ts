import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { addHelp, addSharedOptions, type Bind } from "../command.ts";

const shells = ["bash", "zsh", "fish", "powershell"];

/**
 * Adds `mtjobs complete SHELL`, which prints a script; the script calls `mtjobs complete -- WORDS…` for
 * suggestions.
 *
 * @param describe builds the command tree to complete
 */
export function addComplete(program: Command, bind: Bind, describe: () => Command): void {
  const command = program
    .command("complete")
    .summary("print a shell completion script for commands, options and areas")
    .description(
      "Print a script that lets a shell complete mtjobs. The script asks mtjobs for suggestions, so it stays valid after an upgrade.",
    )
    .argument("[shell]", shells.join(", "))
    .argument("[words...]", "after --: the words typed so far");
  addSharedOptions(command);
  addHelp(command, {
    examples: [
      ["echo 'source <(mtjobs complete bash)' >> ~/.bashrc", "for bash"],
      ["echo 'source <(mtjobs complete zsh)' >> ~/.zshrc", "for zsh"],
      ["mtjobs complete fish > ~/.config/fish/completions/mtjobs.fish", "for fish"],
    ],
  });
  bind(command, async ({ args, io }) => {
    const { default: tab } = await import("@bomb.sh/tab/commander");
    const completion = tab(describe());
    const words = typedAfter(program);
    if (words === undefined) {
      const shell = knownShell(args[0]);
      const script = printedBy(() => completion.setup("mtjobs", "mtjobs", shell));
      return { document: { shell, script }, text: script };
    }
    let offered = false;
    for (const each of completion.commands.values()) {
      const area = each.arguments.get("area");
      if (area === undefined) continue;
      area.handler = (offer) => {
        for (const path of directoriesFrom(words.at(-1) ?? "", io.cwd)) {
          offer(path, "");
          offered = true;
        }
      };
    }
    const printed = printedBy(() => completion.parse([...words]));
    // A directory is followed by its contents, not by a space.
    const answer = offered ? printed.replace(/^:\d+$/m, noSpaceNoFiles) : printed;
    return { document: { answer }, text: answer };
  });
}

/** Directive to the completion script: the sum of 2 (no space after a word) and 4 (no file names). */
const noSpaceNoFiles = ":6";

/** Returns the words typed so far, the word at the cursor last; undefined if a script is requested. */
function typedAfter(program: Command): readonly string[] | undefined {
  // Commander removes the dashes from a command's arguments.
  const { rawArgs } = program as Command & { rawArgs: string[] };
  const at = rawArgs.indexOf("--");
  return at < 0 ? undefined : rawArgs.slice(at + 1);
}

function knownShell(shell: string | undefined): string {
  if (shell !== undefined && shells.includes(shell)) return shell;
  const problem = shell === undefined ? "no shell given" : `"${shell}" is not a supported shell`;
  throw new JobsError("usage", problem, { hint: `use one of ${shells.join(", ")}` });
}

/** Collects what `work` prints: the library writes to the console itself. */
function printedBy(work: () => void): string {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: unknown) => lines.push(String(line));
  try {
    work();
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

function directoriesFrom(typed: string, cwd: string): string[] {
  const stem = typed.slice(0, typed.lastIndexOf("/") + 1);
  try {
    const wantsHidden = typed.slice(stem.length).startsWith(".");
    return readdirSync(resolve(cwd, stem), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && (wantsHidden || !entry.name.startsWith(".")))
      .map(({ name }) => `${stem}${name}/`)
      .filter((path) => path.startsWith(typed));
  } catch {
    return [];
  }
}
