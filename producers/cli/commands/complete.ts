import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import type { Command } from "commander";
import { JobsError } from "../../../shared/errors.ts";
import { addSharedOptions, type Bind, teach } from "../command.ts";

const shells = ["bash", "zsh", "fish", "powershell"];

/**
 * `mtjobs complete SHELL` prints a script; it calls `mtjobs complete -- WORDS…` for what may come next.
 *
 * @param describe makes the tree of commands that is completed
 */
export function addComplete(program: Command, bind: Bind, describe: () => Command): void {
  const command = program
    .command("complete")
    .summary("print what makes a shell complete commands, options and areas")
    .description(
      "Print the script that makes a shell complete mtjobs. The script asks mtjobs itself, so that it need not be made anew.",
    )
    .argument("[shell]", shells.join(", "))
    .argument("[words...]", "after --: what has been typed so far");
  addSharedOptions(command);
  teach(command, {
    examples: [
      ["echo 'source <(mtjobs complete bash)' >> ~/.bashrc", "in every new bash"],
      ["echo 'source <(mtjobs complete zsh)' >> ~/.zshrc", "in every new zsh"],
      ["mtjobs complete fish > ~/.config/fish/completions/mtjobs.fish", "in fish"],
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
    // After a directory comes what is in it, not a space.
    const answer = offered ? printed.replace(/^:\d+$/m, noSpaceNoFiles) : printed;
    return { document: { answer }, text: answer };
  });
}

/** What the script does with the words: the sum of 2, no space after one, and 4, no names of files beside them. */
const noSpaceNoFiles = ":6";

/** What has been typed so far, the word at the cursor last; undefined where a script is asked for. */
function typedAfter(program: Command): readonly string[] | undefined {
  // Commander leaves the dashes out of a command's arguments.
  const { rawArgs } = program as Command & { rawArgs: string[] };
  const at = rawArgs.indexOf("--");
  return at < 0 ? undefined : rawArgs.slice(at + 1);
}

function knownShell(shell: string | undefined): string {
  if (shell !== undefined && shells.includes(shell)) return shell;
  const problem = shell === undefined ? "which shell?" : `"${shell}" is no shell that is known`;
  throw new JobsError("usage", problem, { hint: `write one of ${shells.join(", ")}` });
}

/** The library prints by itself. */
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

/** Directories whose path begins with what was typed. */
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
